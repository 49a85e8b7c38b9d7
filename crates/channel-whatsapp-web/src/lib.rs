#![doc = include_str!("../README.md")]

mod address;
#[cfg(feature = "client")]
mod client;
pub mod said;

#[cfg(feature = "client")]
pub use client::{Pace, Surroundings, WhatsAppWeb, WhatsAppWebError};
