//! `sum` of decimals that is exact or an error. DataFusion's wraps around silently on overflow; for every other type this
//! is DataFusion's.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Decimal128Builder};
use arrow::datatypes::{DataType, Decimal128Type, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, SetMonotonicity, Signature,
};

const MAX: i128 = 10_i128.pow(38) - 1;

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct ExactSum {
    other: Arc<AggregateUDF>,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self { other: sum_udaf() }
    }
}

fn exact(args: &AccumulatorArgs<'_>) -> Option<(u8, i8)> {
    match args.return_type() {
        DataType::Decimal128(precision, scale) if !args.is_distinct => Some((*precision, *scale)),
        _ => None,
    }
}

fn add(sum: i128, value: i128) -> Result<i128> {
    sum.checked_add(value)
        .filter(|s| s.unsigned_abs() <= MAX.unsigned_abs())
        .ok_or_else(|| exec_datafusion_err!("the sum of decimals has more than 38 digits"))
}

impl AggregateUDFImpl for ExactSum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        self.other.signature()
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        self.other.return_type(args)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match exact(&args) {
            Some(kind) => Ok(Box::new(One { kind, sum: None, count: 0 })),
            None => self.other.accumulator(args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.other.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.other.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match exact(&args) {
            Some(kind) => Ok(Box::new(Many { kind, sums: Vec::new() })),
            None => self.other.create_groups_accumulator(args),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match exact(&args) {
            Some(kind) => Ok(Box::new(One { kind, sum: None, count: 0 })),
            None => self.other.create_sliding_accumulator(args),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.other.inner().set_monotonicity(data_type)
    }
}

/// One sum.
#[derive(Debug)]
struct One {
    kind: (u8, i8),
    sum: Option<i128>,
    /// Values in it, so that a window that slid off all of them is null again.
    count: u64,
}

impl One {
    fn value(&self) -> ScalarValue {
        ScalarValue::Decimal128(self.sum, self.kind.0, self.kind.1)
    }
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<Decimal128Type>().iter().flatten() {
            self.sum = Some(add(self.sum.unwrap_or(0), value)?);
            self.count += 1;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<Decimal128Type>().iter().flatten() {
            self.sum = Some(add(self.sum.unwrap_or(0), -value)?);
            self.count -= 1;
        }
        if self.count == 0 {
            self.sum = None;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value())
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

/// One sum per group.
struct Many {
    kind: (u8, i8),
    sums: Vec<Option<i128>>,
}

impl Many {
    fn array(&self, sums: Vec<Option<i128>>) -> Result<ArrayRef> {
        let array: Decimal128Array = sums.into_iter().collect();
        Ok(Arc::new(array.with_precision_and_scale(self.kind.0, self.kind.1)?))
    }
}

impl GroupsAccumulator for Many {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.sums.resize(total, None);
        let values = values[0].as_primitive::<Decimal128Type>();
        for (row, group) in groups.iter().enumerate() {
            if values.is_null(row) || filter.is_some_and(|f| f.is_null(row) || !f.value(row)) {
                continue;
            }
            let sum = &mut self.sums[*group];
            *sum = Some(add(sum.unwrap_or(0), values.value(row))?);
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = emit_to.take_needed(&mut self.sums);
        self.array(sums)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit_to)?])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.update_batch(values, groups, None, total)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<Decimal128Type>();
        let mut out = Decimal128Builder::with_capacity(values.len());
        for row in 0..values.len() {
            let keep = values.is_valid(row) && filter.is_none_or(|f| f.is_valid(row) && f.value(row));
            out.append_option(keep.then(|| values.value(row)));
        }
        Ok(vec![Arc::new(out.finish().with_precision_and_scale(self.kind.0, self.kind.1)?)])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<Option<i128>>()
    }
}
