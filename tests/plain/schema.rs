//! The JSON of `ifnetlink` follows docs/ifnetlink.schema.json. The `kernel` tests use this file too.

use super::pages::checkout;
use boon::{Compiler, Schemas};

/// Fails unless a text is JSON as a definition of the schema has it; returns the JSON.
pub fn valid(definition: &str, text: &str) -> serde_json::Value {
    let path = checkout().join("docs/ifnetlink.schema.json");
    let location = format!("{}#/$defs/{definition}", path.display());
    let mut schemas = Schemas::new();
    let schema = Compiler::new().compile(&location, &mut schemas).unwrap_or_else(|error| panic!("{error:#}"));
    let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    schemas.validate(&value, schema).unwrap_or_else(|error| panic!("{error:#}\n{text}"));
    value
}
