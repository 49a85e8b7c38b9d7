//! The stand-in, held to be right by Feishu's own clients, of which there are two.

mod lark;
mod node;
