//! What another program has written into the rows of its database: what is read of it, is read again once it
//! was written.

target!(|text: &str| pairing_sqlite::fuzzing::rows(text));
