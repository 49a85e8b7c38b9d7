//! The gateway's metrics, in Prometheus' text format.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_protocol::health::FaultState;
use pairing_core::store::{Batch, Changes, Group, Page, PageRequest, Position, Read};
use pairing_core::{Key, PairingStore, Range, StoreError};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::write_health::WriteHealth;

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// The counters of a gateway. Clones share them.
///
/// No label contains what somebody sent. Each label has a few values, which are part of the program, so
/// metrics contain no name or id, and nobody can make them grow.
#[derive(Clone)]
pub struct Metrics(Arc<Counted>);

struct Counted {
    registry: Registry,
    connections: Family<Labels<1>, Gauge>,
    handshakes: Family<Labels<1>, Counter>,
    requests: Family<Labels<1>, Counter>,
    decisions: Family<Labels<2>, Counter>,
    refusals: Family<Labels<1>, Counter>,
    unfinished: Family<Labels<1>, Gauge>,
    calls: Family<Labels<2>, Counter>,
    messages: Family<Labels<1>, Counter>,
    health: Family<Labels<1>, Gauge>,
    certificate: Gauge,
    writes: WriteHealth,
    store: Family<Labels<1>, Histogram, fn() -> Histogram>,
}

/// Counts a connection in the gauge until it is dropped.
#[must_use]
pub struct Connected {
    metrics: Metrics,
    role: &'static str,
}

impl Metrics {
    /// The content type of [`render`](Self::render).
    pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Creates counters at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("openclaw");
        let connections = Family::default();
        registry.register(
            "connections",
            "Connections that were let in, by role",
            connections.clone(),
        );
        let handshakes = Family::default();
        registry.register(
            "handshakes",
            "Handshakes that came to an end, by outcome",
            handshakes.clone(),
        );
        let requests = Family::default();
        registry.register(
            "pairing_requests",
            "Pairing requests that were made, by kind",
            requests.clone(),
        );
        let decisions = Family::default();
        registry.register(
            "decisions",
            "Pairing requests that were decided on, by kind and decision",
            decisions.clone(),
        );
        let refusals = Family::default();
        registry.register(
            "refusals",
            "Connections and messages that were refused, by reason",
            refusals.clone(),
        );
        let unfinished = Family::default();
        registry.register(
            "unfinished_bytes",
            "Bytes of messages whose end is missing, by whether their client is approved",
            unfinished.clone(),
        );
        let calls = Family::default();
        registry.register(
            "calls",
            "Calls that were answered, by method and whether they succeeded",
            calls.clone(),
        );
        let messages = Family::default();
        registry.register(
            "messages",
            "Messages of chats that came in, by what became of them",
            messages.clone(),
        );
        let health = Family::default();
        registry.register(
            "health",
            "Parts of the gateway: 0 is well, 1 degraded, 2 down",
            health.clone(),
        );
        let certificate = Gauge::default();
        registry.register(
            "certificate_expires_timestamp_seconds",
            "When the certificate that is served expires, 0 where there is none",
            certificate.clone(),
        );
        let buckets: fn() -> Histogram = || {
            Histogram::new([
                0.000_01, 0.000_1, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0,
            ])
        };
        let store = Family::new_with_constructor(buckets);
        registry.register(
            "store_seconds",
            "What operations of the store took, by operation",
            store.clone(),
        );
        Self(Arc::new(Counted {
            registry,
            connections,
            handshakes,
            requests,
            decisions,
            refusals,
            unfinished,
            calls,
            messages,
            health,
            certificate,
            writes: WriteHealth::default(),
            store,
        }))
    }

    /// Counts a connection that was admitted as `operator` or `node`.
    pub fn connected(&self, role: &'static str) -> Connected {
        self.0.connections.get_or_create(&[("role", role)]).inc();
        Connected {
            metrics: self.clone(),
            role,
        }
    }

    /// Notes how many bytes wait for the end of their message: of `new`, `approved` or `owner` connections.
    pub(crate) fn unfinished(&self, standing: &'static str, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let gauge = self.0.unfinished.get_or_create(&[("standing", standing)]);
        gauge.set(bytes);
    }

    /// Counts a handshake that ended: `ok`, or a short word for the reason.
    pub fn handshake(&self, outcome: &'static str) {
        self.0
            .handshakes
            .get_or_create(&[("outcome", outcome)])
            .inc();
    }

    /// Counts a request for pairing: `dm`, `device` or `node`.
    pub fn requested(&self, kind: &'static str) {
        self.0.requests.get_or_create(&[("kind", kind)]).inc();
    }

    /// Counts the end of a request: `approved`, `rejected` and so on.
    pub fn decided(&self, kind: &'static str, decision: &'static str) {
        let labels = [("kind", kind), ("decision", decision)];
        self.0.decisions.get_or_create(&labels).inc();
    }

    /// Counts a connection or a message that was refused.
    pub fn refused(&self, reason: &'static str) {
        self.0.refusals.get_or_create(&[("reason", reason)]).inc();
    }

    /// Counts a call that was answered. Its method is one of the gateway's, or `unknown`.
    pub fn called(&self, method: &'static str, ok: bool) {
        let labels = [
            ("method", method),
            ("ok", if ok { "true" } else { "false" }),
        ];
        self.0.calls.get_or_create(&labels).inc();
    }

    /// Counts a message from a channel: where it went, or a short word for the reason.
    pub fn message(&self, outcome: &'static str) {
        self.0.messages.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Whether the store can be written.
    pub(crate) fn writes(&self) -> &WriteHealth {
        &self.0.writes
    }

    /// Notes the state of a part; `None` is well.
    pub(crate) fn health(&self, part: &'static str, state: Option<FaultState>) {
        let level = match state {
            None => 0,
            Some(FaultState::Degraded) => 1,
            Some(_) => 2,
        };
        self.0.health.get_or_create(&[("part", part)]).set(level);
    }

    /// Notes when the certificate expires, in seconds since 1970.
    pub(crate) fn certificate_expires(&self, at: i64) {
        self.0.certificate.set(at);
    }

    /// Returns all metrics, in the format of [`CONTENT_TYPE`](Self::CONTENT_TYPE).
    pub fn render(&self) -> String {
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.0.registry) {
            Ok(()) => text,
            // Writing to a string cannot fail.
            Err(fmt::Error) => String::new(),
        }
    }

    fn store_took(&self, operation: &'static str, time: Duration) {
        let labels = [("operation", operation)];
        self.0
            .store
            .get_or_create(&labels)
            .observe(time.as_secs_f64());
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let labels = [("role", self.role)];
        self.metrics.0.connections.get_or_create(&labels).dec();
    }
}

/// A store whose `read`, `range` and `commit` are measured, and whose failing writes become part of the gateway's health.
/// Waiting for changes is not measured.
#[derive(Debug, Clone)]
pub struct Timed<S> {
    store: S,
    metrics: Metrics,
}

impl<S> Timed<S> {
    /// Wraps a store.
    pub fn new(store: S, metrics: Metrics) -> Self {
        Self { store, metrics }
    }

    fn note(&self, batch: &Batch, result: &Result<(), StoreError>) {
        // Without a change, nothing is written.
        if let Some(change) = batch.changes.first() {
            self.metrics.writes().note(change.key().group(), result);
        }
    }

    fn timed<T>(&self, operation: &'static str, run: impl FnOnce(&S) -> T) -> T {
        let began = Instant::now();
        let result = run(&self.store);
        self.metrics.store_took(operation, began.elapsed());
        result
    }
}

impl<S: PairingStore> PairingStore for Timed<S> {
    fn read(&self, key: &Key) -> Result<Read, StoreError> {
        self.timed("read", |store| store.read(key))
    }

    fn read_at_once(&self, key: &Key) -> Option<Read> {
        let began = Instant::now();
        let read = self.store.read_at_once(key)?;
        // What has no answer is asked again, and counted then.
        self.metrics.store_took("read", began.elapsed());
        Some(read)
    }

    fn range(&self, range: &Range, page: &PageRequest) -> Result<Page, StoreError> {
        self.timed("range", |store| store.range(range, page))
    }

    fn range_at_once(&self, range: &Range, page: &PageRequest) -> Option<Page> {
        let began = Instant::now();
        let page = self.store.range_at_once(range, page)?;
        self.metrics.store_took("range", began.elapsed());
        Some(page)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let result = self.timed("commit", |store| store.commit(batch));
        self.note(batch, &result);
        result
    }

    fn commit_at_once(&self, batch: &Batch) -> Result<(), StoreError> {
        let result = self.timed("commit", |store| store.commit_at_once(batch));
        self.note(batch, &result);
        result
    }

    fn probe_write(&self, group: Group<'_>) -> Result<(), StoreError> {
        let result = self.store.probe_write(group);
        self.metrics.writes().note(group, &result);
        result
    }

    fn changes(&self, after: Option<Position>, timeout: Duration) -> Result<Changes, StoreError> {
        self.store.changes(after, timeout)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use pairing_core::{ManualClock, MemoryStore, PairingBuilder, Timestamp};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    fn lines(metrics: &Metrics) -> Vec<String> {
        let text = metrics.render();
        assert!(text.ends_with("# EOF\n"), "{text}");
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.retain(|line| !line.starts_with('#') && !line.starts_with("openclaw_store"));
        lines.sort();
        lines
    }

    #[test]
    fn everything_is_counted_under_its_name() {
        let metrics = Metrics::new();
        let node = metrics.connected("node");
        let operator = metrics.connected("operator");
        drop(operator);
        metrics.handshake("ok");
        metrics.handshake("ok");
        metrics.health("disk", None);
        metrics.health("store", Some(FaultState::Down));
        metrics.requested("device");
        metrics.decided("device", "approved");
        metrics.refused("untrusted-proxy");
        metrics.message("from-me");
        metrics.called("health", true);
        metrics.clone().called("health", false);
        assert_eq!(
            lines(&metrics),
            [
                r#"openclaw_calls_total{method="health",ok="false"} 1"#,
                r#"openclaw_calls_total{method="health",ok="true"} 1"#,
                "openclaw_certificate_expires_timestamp_seconds 0",
                r#"openclaw_connections{role="node"} 1"#,
                r#"openclaw_connections{role="operator"} 0"#,
                r#"openclaw_decisions_total{kind="device",decision="approved"} 1"#,
                r#"openclaw_handshakes_total{outcome="ok"} 2"#,
                r#"openclaw_health{part="disk"} 0"#,
                r#"openclaw_health{part="store"} 2"#,
                r#"openclaw_messages_total{outcome="from-me"} 1"#,
                r#"openclaw_pairing_requests_total{kind="device"} 1"#,
                r#"openclaw_refusals_total{reason="untrusted-proxy"} 1"#,
            ]
        );
        drop(node);
        assert!(lines(&metrics)[2].ends_with(" 0"));
    }

    const RULES: &str = include_str!("../../../docs/monitoring/openclaw-rules.yml");
    const DASHBOARD: &str = include_str!("../../../docs/monitoring/openclaw-dashboard.json");
    const CHAPTER: &str = include_str!("../../../docs/operations.md");

    /// The words of a text that look like a metric's name.
    fn named(text: &str) -> BTreeSet<&str> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let words = text.split(|c| !is_part(c));
        words.filter(|word| word.starts_with("openclaw_")).collect()
    }

    /// The names under which the metrics are served, and the labels of each. Each is there once, with a sample.
    fn served() -> BTreeMap<String, BTreeSet<String>> {
        let metrics = Metrics::new();
        let _node = metrics.connected("node");
        metrics.handshake("ok");
        metrics.requested("device");
        metrics.decided("device", "approved");
        metrics.refused("untrusted-proxy");
        metrics.unfinished("new", 0);
        metrics.called("health", true);
        metrics.message("from-me");
        metrics.health("store", None);
        metrics.store_took("read", Duration::ZERO);
        let text = metrics.render();
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (sample, _) = line.rsplit_once(' ').unwrap();
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            let names = labels
                .split("\",")
                .filter_map(|pair| pair.split_once("=\""));
            let labels = found.entry(name.to_owned()).or_default();
            labels.extend(names.map(|(label, _)| label.to_owned()));
        }
        // Each that is registered has a sample.
        let registered = text
            .lines()
            .filter(|line| line.starts_with("# TYPE "))
            .count();
        let mut kinds: BTreeSet<&str> = BTreeSet::new();
        for name in found.keys() {
            let ends = ["_total", "_bucket", "_count", "_sum"];
            let end = ends.iter().find_map(|end| name.strip_suffix(end));
            kinds.insert(end.unwrap_or(name));
        }
        assert_eq!(kinds.len(), registered, "{text}");
        found
    }

    #[test]
    fn the_alerts_and_the_dashboard_ask_for_metrics_that_are_served() {
        let served = served();
        let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let queries = panels.iter().map(|panel| {
            let query = panel["targets"][0]["expr"].as_str().unwrap();
            // What is drawn is told apart by labels of that metric.
            let legend = panel["targets"][0]["legendFormat"].as_str().unwrap();
            let labels = legend.split("{{").skip(1);
            let labels = labels.filter_map(|rest| Some(rest.split_once("}}")?.0));
            (query, labels.collect::<Vec<_>>())
        });
        let rules = RULES
            .lines()
            .filter_map(|line| line.trim().strip_prefix("expr: "));
        let queries: Vec<_> = queries
            .chain(rules.map(|query| (query, Vec::new())))
            .collect();
        assert!(queries.len() > 15, "{queries:?}");
        let mut drawn = BTreeSet::new();
        for (query, mut labels) in queries {
            let names = named(query);
            assert!(
                !names.is_empty() || query.contains("up{job=\"openclaw\"}"),
                "{query}"
            );
            for by in query.split("by (").skip(1) {
                labels.extend(by.split(')').next().unwrap().split(", "));
            }
            for name in names {
                let known = served.get(name);
                let known = known.unwrap_or_else(|| panic!("{name} is not served: {query}"));
                let selected = query.split(['{', ',', ' ', '}']);
                let selected = selected.filter_map(|word| word.split_once(['=', '!', '~']));
                let selected = selected
                    .map(|(label, _)| label)
                    .filter(|label| !label.is_empty());
                for label in labels.iter().copied().chain(selected) {
                    // Prometheus itself adds this one.
                    let is_there = label == "instance" || label == "job" || known.contains(label);
                    assert!(is_there, "{name} has no {label}: {query}");
                }
                drawn.insert(name.trim_end_matches("_bucket").to_owned());
            }
        }
        // The dashboard leaves none out, and the chapter describes all of them.
        let bases = served.keys().map(|name| {
            let ends = ["_bucket", "_count", "_sum"];
            let end = ends.iter().find_map(|end| name.strip_suffix(end));
            end.unwrap_or(name).to_owned()
        });
        let bases: BTreeSet<_> = bases.collect();
        assert_eq!(drawn, bases);
        let described = CHAPTER
            .lines()
            .filter_map(|line| line.strip_prefix("| `openclaw_"));
        let described =
            described.map(|line| format!("openclaw_{}", line.split('`').next().unwrap()));
        assert_eq!(described.collect::<BTreeSet<_>>(), bases);
    }

    #[test]
    fn a_measured_store_is_the_store_it_measures() {
        let metrics = Metrics::new();
        let store = Timed::new(MemoryStore::new(), metrics.clone());
        let entropy = std::sync::Mutex::new(ChaCha20Rng::seed_from_u64(7));
        let clock = ManualClock::new(Timestamp::from_millis(0));
        let pairing = PairingBuilder::new(store, clock, entropy).build();
        let account = pairing
            .channel("telegram")
            .unwrap()
            .account("work")
            .unwrap();
        assert!(account.pending().unwrap().requests.is_empty());
        let text = metrics.render();
        assert!(
            text.contains(r#"openclaw_store_seconds_count{operation="range"} 1"#),
            "{text}"
        );
        assert!(!text.contains("telegram"), "{text}");
    }
}
