//! Compiles what the README and the tour of embedding show. The programs are beside this folder.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/tours/embedding.md")]
struct Embedding;
