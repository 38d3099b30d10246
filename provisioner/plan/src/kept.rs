//! How times, money and keys rest in JSON, for fields whose types come from elsewhere: times are nanoseconds, money is text.

use grid_model::{Amount, Timestamp};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! text {
    ($type:ty, $parse:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(from)?;
                $parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use text;

/// An instant, in nanoseconds.
pub mod time {
    use super::*;

    /// Writes.
    pub fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(time.0)
    }

    /// Reads.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(from).map(Timestamp)
    }
}

/// An instant, if there is one.
pub mod time_opt {
    use super::*;

    /// Writes.
    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        time.map(|t| t.0).serialize(to)
    }

    /// Reads.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<i64>::deserialize(from)?.map(Timestamp))
    }
}

/// Money.
pub mod money {
    use super::*;

    /// Writes.
    pub fn serialize<S: Serializer>(money: &Amount, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(money)
    }

    /// Reads.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Amount, D::Error> {
        read(&String::deserialize(from)?)
    }

    pub(super) fn read<E: serde::de::Error>(text: &str) -> Result<Amount, E> {
        Amount::parse(text).map(|(amount, _)| amount).map_err(E::custom)
    }
}

/// Money, if there is any.
pub mod money_opt {
    use super::*;

    /// Writes.
    pub fn serialize<S: Serializer>(money: &Option<Amount>, to: S) -> Result<S::Ok, S::Error> {
        money.map(|m| m.to_string()).serialize(to)
    }

    /// Reads.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Amount>, D::Error> {
        Option::<String>::deserialize(from)?.map(|text| money::read(&text)).transpose()
    }
}

/// A currency, as its code.
pub(crate) mod currency {
    use grid_model::Currency;

    use super::*;

    pub(crate) fn serialize<S: Serializer>(currency: &Currency, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&currency.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Currency, D::Error> {
        String::deserialize(from).map(Currency)
    }
}

/// A map whose keys are no texts, as a list of pairs.
pub(crate) mod pairs {
    use std::collections::BTreeMap;

    use super::*;

    pub(crate) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(map.iter())
    }

    pub(crate) fn deserialize<'de, K, V, D>(from: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(from)?.into_iter().collect())
    }
}

/// Times in order, each with something.
pub(crate) mod timed {
    use std::collections::VecDeque;

    use super::*;

    pub(crate) fn serialize<S: Serializer>(all: &VecDeque<(Timestamp, u32)>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(all.iter().map(|(at, n)| (at.0, n)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<VecDeque<(Timestamp, u32)>, D::Error> {
        Ok(Vec::<(i64, u32)>::deserialize(from)?.into_iter().map(|(at, n)| (Timestamp(at), n)).collect())
    }
}

/// Digests, as hexadecimal digits.
pub(crate) mod digests {
    use crate::plan_id::PlanId;

    use super::*;

    pub(crate) fn serialize<S: Serializer>(all: &[[u8; 32]; 7], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(all.iter().map(|digest| PlanId::of_digest(*digest)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[[u8; 32]; 7], D::Error> {
        let all = Vec::<PlanId>::deserialize(from)?;
        let all: Vec<[u8; 32]> = all.into_iter().map(|id| id.digest()).collect();
        all.try_into().map_err(|_| D::Error::custom("a plan has seven digests"))
    }
}
