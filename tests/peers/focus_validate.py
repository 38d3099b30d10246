#!/usr/bin/env python3
"""Runs the public validator of FOCUS (focus-validator on PyPI) over files and prints its verdicts.

Usage: focus_validate.py FILE...
Output: JSON, {file: {rule id: [verdict, violations]}}; a verdict is passed, failed or skipped. The rules are those of the requirement
model that the package brings; every applicability criterion is on. Nothing is downloaded.
"""

import json
import logging
import os
import sys

import focus_validator
from focus_validator.validator import Validator


def verdicts(path):
    validator = Validator(
        data_filename=path,
        output_destination=None,
        output_type="console",
        focus_dataset="CostAndUsage",
        rules_version="1.2",
        rules_block_remote_download=True,
        applicability_criteria="ALL",
    )
    validator.load()
    results = validator.spec_rules.validate(validator.focus_data, data_filename=path)
    out = {}
    for rule, result in results.by_rule_id.items():
        details = result.get("details") or {}
        skipped = bool(details.get("skipped"))
        verdict = "skipped" if skipped else "passed" if result.get("ok") else "failed"
        out[rule] = [verdict, int(details.get("violations") or 0)]
    return out


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    files = [os.path.abspath(path) for path in sys.argv[1:]]
    # It looks for its list of currencies below the current folder.
    os.chdir(os.path.dirname(os.path.dirname(focus_validator.__file__)))
    json.dump({path: verdicts(path) for path in files}, sys.stdout)
