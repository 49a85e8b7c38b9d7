//! How much of the gateway anybody may use: `gateway.limits` of the configuration.

pub use openclaw_config::GatewayLimits;
