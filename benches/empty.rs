//! An empty program: what any Rust program costs that is linked as ours are.

fn main() {}
