//! What a scene carries for whoever reads it: JSON values.

use std::collections::BTreeMap;

/// Named values, in the order of their names.
pub type Extras = BTreeMap<String, Extra>;

/// A JSON value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Extra {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number. A file's numbers without a fraction are read as this.
    Integer(i64),
    /// A finite number.
    Number(f64),
    /// Text.
    Text(String),
    /// Values in an order.
    List(Vec<Extra>),
    /// Named values.
    Map(Extras),
}
