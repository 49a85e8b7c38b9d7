//! `gateway.limits`.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::read::{Reader, Section};

/// Limits on what clients may use of a gateway, and how long it waits for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayLimits {
    /// The longest message of a connection that has not been let in, in bytes.
    pub pre_auth_bytes: usize,
    /// The longest message of a connection that has been let in, in bytes.
    pub max_payload: usize,
    /// Bytes that may wait for a slow reader before the connection is dropped.
    pub max_buffered: usize,
    /// How long a connection may take from its first byte to its `connect`.
    pub handshake: Duration,
    /// Connections of one address that have not been let in.
    pub unauthenticated_per_address: usize,
    /// Connections in all; further ones get status 503.
    pub max_connections: usize,
    /// Wrong secrets within [`failure_window`](Self::failure_window) that lock an address out.
    pub secret_failures: usize,
    /// How long a wrong secret counts.
    pub failure_window: Duration,
    /// How long an address stays locked out.
    pub lockout: Duration,
    /// How long the first wrong secret from loopback waits for its answer; each further one twice as
    /// long as the one before. Loopback is slowed instead of locked out.
    pub loopback_delay: Duration,
    /// The longest such wait.
    pub max_loopback_delay: Duration,
    /// Calls of a connection refused within [`refused_window`](Self::refused_window) until it is told to
    /// come back later.
    pub refused_calls: usize,
    /// How long a refused call counts.
    pub refused_window: Duration,
    /// Refused calls within that window that close the connection.
    pub refused_calls_close: usize,
    /// The time between two ticks.
    pub tick_interval: Duration,
    /// Calls of a connection that run at the same time.
    pub in_flight_calls: usize,
    /// How long a node may take to answer, unless the caller says.
    pub invoke_timeout: Duration,
    /// The longest time that a caller may give.
    pub max_invoke_timeout: Duration,
    /// How long a shutdown waits for running calls.
    pub drain: Duration,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self {
            pre_auth_bytes: 64 << 10,
            max_payload: 25 << 20,
            max_buffered: 50 << 20,
            handshake: Duration::from_secs(15),
            unauthenticated_per_address: 32,
            max_connections: 10_000,
            secret_failures: 10,
            failure_window: Duration::from_secs(60),
            lockout: Duration::from_secs(300),
            loopback_delay: Duration::from_millis(250),
            max_loopback_delay: Duration::from_secs(4),
            refused_calls: 100,
            refused_window: Duration::from_secs(10),
            refused_calls_close: 1000,
            tick_interval: Duration::from_secs(30),
            in_flight_calls: 64,
            invoke_timeout: Duration::from_secs(30),
            max_invoke_timeout: Duration::from_secs(600),
            drain: Duration::from_secs(3),
        }
    }
}

impl GatewayLimits {
    /// Values out of bounds are faults; so are two that contradict each other. The usual ones count instead.
    pub(crate) fn read(at: Section<'_>, reader: &mut Reader<'_>) -> Self {
        let mut limits = Self::default();
        let mut from = Values { at, reader };
        from.bytes(
            "preAuthBytes",
            1 << 10..=1 << 20,
            &mut limits.pre_auth_bytes,
        );
        from.bytes(
            "maxPayloadBytes",
            1 << 16..=256 << 20,
            &mut limits.max_payload,
        );
        from.bytes(
            "maxBufferedBytes",
            1 << 16..=1 << 30,
            &mut limits.max_buffered,
        );
        from.seconds("handshakeSeconds", 1..=120, &mut limits.handshake);
        from.count(
            "unauthenticatedPerAddress",
            1..=10_000,
            &mut limits.unauthenticated_per_address,
        );
        from.count("maxConnections", 1..=1_000_000, &mut limits.max_connections);
        from.count("secretFailures", 1..=100, &mut limits.secret_failures);
        from.seconds("failureWindowSeconds", 1..=3600, &mut limits.failure_window);
        from.seconds("lockoutSeconds", 1..=86_400, &mut limits.lockout);
        from.millis("loopbackDelayMs", 0..=10_000, &mut limits.loopback_delay);
        from.millis(
            "maxLoopbackDelayMs",
            0..=10_000,
            &mut limits.max_loopback_delay,
        );
        from.count("refusedCalls", 1..=100_000, &mut limits.refused_calls);
        from.seconds("refusedWindowSeconds", 1..=3600, &mut limits.refused_window);
        from.count(
            "refusedCallsClose",
            1..=1_000_000,
            &mut limits.refused_calls_close,
        );
        from.seconds("tickSeconds", 1..=300, &mut limits.tick_interval);
        from.count("inFlightCalls", 1..=10_000, &mut limits.in_flight_calls);
        from.seconds("invokeTimeoutSeconds", 1..=3600, &mut limits.invoke_timeout);
        from.seconds(
            "maxInvokeTimeoutSeconds",
            1..=3600,
            &mut limits.max_invoke_timeout,
        );
        from.seconds("drainSeconds", 0..=60, &mut limits.drain);
        limits.contradictions(&mut from);
        let Values { at, reader } = from;
        at.finish(reader);
        limits
    }

    /// Two values that contradict each other are a fault; then the usual ones count.
    fn contradictions(&mut self, from: &mut Values<'_, '_, '_>) {
        let usual = Self::default();
        let mut refuse = |more: &str, less: &str| {
            let (key, detail) = if from.at.has(more) {
                (more, format!("is less than gateway.limits.{less}"))
            } else {
                // Only the other one is written down.
                let detail = format!("is more than gateway.limits.{more}, which is not set");
                (less, detail)
            };
            from.at.fault(
                key,
                &format!("{detail}: the usual limits count"),
                from.reader,
            );
        };
        if self.max_payload < self.pre_auth_bytes {
            refuse("maxPayloadBytes", "preAuthBytes");
            (self.max_payload, self.pre_auth_bytes) = (usual.max_payload, usual.pre_auth_bytes);
        }
        if self.max_buffered < self.max_payload {
            refuse("maxBufferedBytes", "maxPayloadBytes");
            (self.max_buffered, self.max_payload) = (usual.max_buffered, usual.max_payload);
            self.pre_auth_bytes = self.pre_auth_bytes.min(usual.max_payload);
        }
        if self.max_loopback_delay < self.loopback_delay {
            refuse("maxLoopbackDelayMs", "loopbackDelayMs");
            self.max_loopback_delay = usual.max_loopback_delay;
            self.loopback_delay = usual.loopback_delay;
        }
        if self.refused_calls_close < self.refused_calls {
            refuse("refusedCallsClose", "refusedCalls");
            self.refused_calls_close = usual.refused_calls_close;
            self.refused_calls = usual.refused_calls;
        }
        if self.max_invoke_timeout < self.invoke_timeout {
            refuse("maxInvokeTimeoutSeconds", "invokeTimeoutSeconds");
            self.max_invoke_timeout = usual.max_invoke_timeout;
            self.invoke_timeout = usual.invoke_timeout;
        }
    }
}

/// Replaces defaults by what is written.
struct Values<'s, 'n, 't> {
    at: Section<'n>,
    reader: &'s mut Reader<'t>,
}

impl Values<'_, '_, '_> {
    fn number(&mut self, key: &'static str, bounds: RangeInclusive<u64>) -> Option<u64> {
        // A limit that cannot be understood is the usual one.
        self.at.count(key, bounds, self.reader).unwrap_or(None)
    }

    fn count(&mut self, key: &'static str, bounds: RangeInclusive<u64>, value: &mut usize) {
        let number = self.number(key, bounds);
        if let Some(number) = number.and_then(|number| usize::try_from(number).ok()) {
            *value = number;
        }
    }

    fn bytes(&mut self, key: &'static str, bounds: RangeInclusive<u64>, value: &mut usize) {
        self.count(key, bounds, value);
    }

    fn seconds(&mut self, key: &'static str, bounds: RangeInclusive<u64>, value: &mut Duration) {
        if let Some(number) = self.number(key, bounds) {
            *value = Duration::from_secs(number);
        }
    }

    fn millis(&mut self, key: &'static str, bounds: RangeInclusive<u64>, value: &mut Duration) {
        if let Some(number) = self.number(key, bounds) {
            *value = Duration::from_millis(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn limits(members: &str) -> (GatewayLimits, Option<String>) {
        let text = format!("{{ gateway: {{ limits: {{ {members} }} }} }}");
        let config = Config::parse(&text).unwrap();
        let fault = config.faults().next().map(ToString::to_string);
        (config.gateway.limits, fault)
    }

    #[test]
    fn every_unit_is_read() {
        let read = limits(
            "preAuthBytes: 32768, handshakeSeconds: 3, loopbackDelayMs: 10, refusedCalls: 5, drainSeconds: 0",
        );
        let expected = GatewayLimits {
            pre_auth_bytes: 32 << 10,
            handshake: Duration::from_secs(3),
            loopback_delay: Duration::from_millis(10),
            refused_calls: 5,
            drain: Duration::ZERO,
            ..GatewayLimits::default()
        };
        assert_eq!(read, (expected, None));
    }

    #[test]
    fn bounds_and_contradictions_are_faults_that_name_the_key() {
        for (members, expected) in [
            (
                "handshakeSeconds: 0",
                "gateway.limits.handshakeSeconds: 0 is not a whole number from 1 to 120, line 1, column 42",
            ),
            (
                "secretFailures: 1.5",
                "gateway.limits.secretFailures: 1.5 is not a whole number from 1 to 100, line 1, column 40",
            ),
            (
                "tickSeconds: '30'",
                "gateway.limits.tickSeconds: a text is not a whole number, line 1, column 37",
            ),
            (
                "maxBufferedBytes: 65536",
                "gateway.limits.maxBufferedBytes: is less than gateway.limits.maxPayloadBytes: the usual limits count, line 1, column 42",
            ),
            (
                "refusedCalls: 2000",
                "gateway.limits.refusedCalls: is more than gateway.limits.refusedCallsClose, which is not set: the usual limits count, line 1, column 38",
            ),
        ] {
            let (limits, fault) = limits(members);
            assert_eq!(fault.as_deref(), Some(expected));
            assert_eq!(limits, GatewayLimits::default());
        }
    }
}
