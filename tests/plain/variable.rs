//! How ifupdown-ng hands a keyword over. The `kernel` tests have this too.

/// The variable for a keyword.
pub fn variable(keyword: &str) -> String {
    format!("IF_{}", keyword.to_uppercase().replace('-', "_"))
}
