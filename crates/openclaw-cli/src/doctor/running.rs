//! Findings of the gateway that runs on the state directory, which knows what cannot be seen on the disk.

use gateway_protocol::Empty;
use gateway_protocol::health::{FaultState, Health, PartFault};
use openclaw_config::Config;
use pairing_fs::StateDir;
use pairing_fs::doctor::{Finding, Severity};

use crate::Environment;
use crate::args::TargetOptions;
use crate::console::Screen;
use crate::gateway::said;
use crate::place::Place;
use crate::purpose::Purpose;

const READS: Purpose = Purpose {
    scopes: &["operator.read"],
    needs: &["health"],
    decides: false,
};

/// What the gateway says does not work. Nothing if none runs here, or if it does not answer the owner's socket.
pub(super) fn of_gateway(
    state: &StateDir,
    config: &Config,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Vec<Finding> {
    let mut place = Place::new(Ok(state.clone()), TargetOptions::default(), environment);
    place.config = Some(config.clone());
    let Some(remote) = place.own_gateway(READS, screen) else {
        return Vec::new();
    };
    let health = remote.call::<Health>("health", &Empty {});
    let faults = health.ok().and_then(|health| health.faults);
    let finding = |fault: PartFault| Finding {
        severity: match fault.state {
            FaultState::Degraded => Severity::Warning,
            _ => Severity::Error,
        },
        kind: "not-working",
        path: state.root().to_owned(),
        detail: format!("the gateway runs, and its {}", said(&fault)),
        advice: fault
            .advice
            .unwrap_or_else(|| "see the gateway's log".to_owned()),
        fixable: false,
        fixed: false,
    };
    // These are found on the disk, too.
    let faults = faults
        .into_iter()
        .flatten()
        .filter(|fault| fault.part != "certificate");
    faults.map(finding).collect()
}
