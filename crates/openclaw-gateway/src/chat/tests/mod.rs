//! Commands on a gateway that runs, in a chat that is a list.

mod chat;
mod codes;
mod deciding;
mod notices;
mod steps;
