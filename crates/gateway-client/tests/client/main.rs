//! The client against scripted gateways.
