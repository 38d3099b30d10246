//! What Grid does in a project of Google Cloud: levers, and a read-only inventory.
