//! How ifupdown-ng passes a keyword to an executor. The `kernel` tests use this file too.

/// The variable for a keyword.
pub fn variable(keyword: &str) -> String {
    format!("IF_{}", keyword.to_uppercase().replace('-', "_"))
}
