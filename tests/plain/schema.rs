//! The JSON of `ifnetlink` follows docs/ifnetlink.schema.json. The `kernel` tests use this file too.

use super::pages::checkout;
use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde_json::Value;

/// A definition of the schema.
pub struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    /// The definition with this name.
    pub fn of(definition: &str) -> Self {
        let path = checkout().join("docs/ifnetlink.schema.json");
        let location = format!("{}#/$defs/{definition}", path.display());
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        let index = compiler.compile(&location, &mut schemas).unwrap_or_else(|error| panic!("{error:#}"));
        Self { schemas, index }
    }

    /// Whether JSON is what the definition says.
    ///
    /// # Errors
    /// The parts that differ.
    pub fn validate(&self, value: &Value) -> Result<(), String> {
        self.schemas.validate(value, self.index).map_err(|error| format!("{error:#}"))
    }
}

/// Fails unless a text is JSON as a definition of the schema has it; returns the JSON.
pub fn valid(definition: &str, text: &str) -> Value {
    let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    Schema::of(definition).validate(&value).unwrap_or_else(|error| panic!("{error}\n{text}"));
    value
}
