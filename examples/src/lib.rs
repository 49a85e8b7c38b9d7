//! What the README shows is compiled here; the programs are in `examples/`.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
