//! Exact products and quotients of decimals. DataFusion's have scale 36 for two DECIMAL(38,18), which leaves two digits
//! before the point; these keep DECIMAL(38,18), compute in 256 bits, round half to even, and refuse what does not fit.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, i256};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use grid_model::money::{PRECISION, SCALE};

const MAX: i128 = 10_i128.pow(38) - 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Op {
    Multiply,
    Divide,
}

/// `decimal_multiply(a, b)` and `decimal_divide(a, b)`; `*` and `/` of decimals become these.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct DecimalOp {
    op: Op,
    signature: Signature,
}

impl DecimalOp {
    pub(crate) fn multiply() -> Self {
        Self { op: Op::Multiply, signature: Signature::user_defined(Volatility::Immutable) }
    }

    pub(crate) fn divide() -> Self {
        Self { op: Op::Divide, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for DecimalOp {
    fn name(&self) -> &str {
        match self.op {
            Op::Multiply => "decimal_multiply",
            Op::Divide => "decimal_divide",
        }
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let sign = if self.op == Op::Multiply { '*' } else { '/' };
        Ok(match args {
            [a, b] => format!("{} {sign} {}", a.schema_name(), b.schema_name()),
            _ => self.name().to_owned(),
        })
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        let decimal = |t: &DataType| match t {
            DataType::Decimal128(..) => Ok(t.clone()),
            t if t.is_integer() || *t == DataType::Null => Ok(DataType::Decimal128(PRECISION, 0)),
            other => plan_err!("{} takes decimals, not {other}", self.name()),
        };
        match args {
            [a, b] => Ok(vec![decimal(a)?, decimal(b)?]),
            _ => plan_err!("{} takes two decimals", self.name()),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(PRECISION, SCALE as i8))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays: Vec<ArrayRef> = ColumnarValue::values_to_arrays(&args.args)?;
        let [a, b] = arrays.as_slice() else { return exec_err!("{} takes two decimals", self.name()) };
        let (a, b) = (a.as_primitive::<Decimal128Type>(), b.as_primitive::<Decimal128Type>());
        let (scale_a, scale_b) = (i32::from(a.scale()), i32::from(b.scale()));
        let mut out = Decimal128Array::builder(a.len());
        for row in 0..a.len() {
            if a.is_null(row) || b.is_null(row) {
                out.append_null();
                continue;
            }
            let (x, y) = (a.value(row), b.value(row));
            let result = match self.op {
                Op::Divide if y == 0 => return exec_err!("division by zero"),
                // x 10^-sa * y 10^-sb = (x y 10^(18 - sa - sb)) 10^-18
                Op::Multiply => scaled(
                    i256::from_i128(x).checked_mul(i256::from_i128(y)),
                    i256::ONE,
                    SCALE as i32 - scale_a - scale_b,
                ),
                Op::Divide => scaled(Some(i256::from_i128(x)), i256::from_i128(y), SCALE as i32 - scale_a + scale_b),
            };
            match result {
                Some(value) => out.append_value(value),
                None => return exec_err!("a decimal has more than 38 digits"),
            }
        }
        Ok(ColumnarValue::Array(Arc::new(out.finish().with_precision_and_scale(PRECISION, SCALE as i8)?)))
    }
}

/// `numerator / denominator * 10^power`, rounded half to even; `None` if it does not fit.
fn scaled(numerator: Option<i256>, denominator: i256, power: i32) -> Option<i128> {
    let ten = i256::from_i128(10).checked_pow(power.unsigned_abs())?;
    let (n, d) = if power >= 0 {
        (numerator?.checked_mul(ten)?, denominator)
    } else {
        (numerator?, denominator.checked_mul(ten)?)
    };
    let (mut quotient, rest) = (n.checked_div(d)?, n.checked_rem(d)?);
    let twice = rest.checked_abs()?.checked_mul(i256::from_i128(2))?;
    let size = d.checked_abs()?;
    let odd = quotient.checked_rem(i256::from_i128(2))? != i256::ZERO;
    if twice > size || twice == size && odd {
        let away = if n.is_negative() == d.is_negative() { i256::ONE } else { i256::MINUS_ONE };
        quotient = quotient.checked_add(away)?;
    }
    quotient.to_i128().filter(|v| v.abs() <= MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_half_to_even() {
        let div = |n: i128, d: i128, p| scaled(Some(i256::from_i128(n)), i256::from_i128(d), p);
        assert_eq!(div(1, 2, 0), Some(0));
        assert_eq!(div(3, 2, 0), Some(2));
        assert_eq!(div(-3, 2, 0), Some(-2));
        assert_eq!(div(-5, 3, 0), Some(-2));
        assert_eq!(div(1, 3, 3), Some(333));
        assert_eq!(div(25, 1, -1), Some(2));
        assert_eq!(div(MAX, 1, 1), None);
        assert_eq!(div(i128::MAX, 1, 38), None);
    }
}
