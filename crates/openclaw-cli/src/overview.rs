//! `openclaw status`: one screen with what runs, who waits, what is wrong, and what to do next.

use openclaw_config::Config;
use pairing_core::{Scope, escape};
use pairing_fs::StateDir;
use pairing_fs::doctor::Finding;
use serde::Serialize;

use crate::args::TargetOptions;
use crate::backend::Backend;
use crate::console::Screen;
use crate::gateway::{Waiting, holder, status_of};
use crate::place::Place;
use crate::purpose::Purpose;
use crate::service::{Installed, Supervisor};
use crate::{Environment, Exit, Failure, doctor, text};

/// Findings that are shown; there is one screen.
const SHOWN: usize = 5;

const READS: Purpose = Purpose {
    scopes: &[Scope::READ, Scope::PAIRING],
    needs: &[],
    decides: false,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Overview {
    gateway: GatewaySeen,
    service: Option<ServiceSeen>,
    state_dir: String,
    store: &'static str,
    waiting: Waiting,
    /// What is wrong, the worst first.
    wrong: Vec<Wrong>,
    /// The commands that follow from all that.
    next: Vec<Next>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GatewaySeen {
    running: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime_ms: Option<u64>,
    /// Why it cannot be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceSeen {
    file: String,
    is_ours: bool,
    state: Option<String>,
}

#[derive(Serialize)]
struct Wrong {
    what: String,
    advice: String,
}

#[derive(Serialize)]
struct Next {
    command: &'static str,
    why: &'static str,
}

/// Looks at everything, and reports. The exit code is 0 if a gateway runs and nothing is wrong, 1 otherwise.
pub(crate) fn run(
    target: TargetOptions,
    json: bool,
    state: &StateDir,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let config = Config::load_in(state.root(), state.config(), |name| (environment.var)(name));
    let (store, findings) = doctor::findings(None, state, &config, environment, screen);
    let mut place = Place::new(Ok(state.clone()), target, environment);
    place.config = config.ok();
    let (gateway, waiting) = gateway(&place, state, screen);
    let overview = Overview {
        waiting: match waiting {
            Some(waiting) => waiting,
            None => waiting_on_files(&place, screen),
        },
        gateway,
        service: service(environment),
        state_dir: state.root().display().to_string(),
        store,
        wrong: findings
            .iter()
            .filter(|found| doctor::is_left(found))
            .map(Wrong::from)
            .collect(),
        next: Vec::new(),
    };
    let overview = Overview {
        next: next(&overview, state),
        ..overview
    };
    if json {
        screen.json(&overview)?;
    } else {
        show(&overview, screen)?;
    }
    let is_well = overview.gateway.running && overview.wrong.is_empty();
    Ok(if is_well { Exit::Done } else { Exit::Refused })
}

/// The gateway, and who waits by what it says.
fn gateway(
    place: &Place<'_>,
    state: &StateDir,
    screen: &mut Screen<'_, '_>,
) -> (GatewaySeen, Option<Waiting>) {
    let holder = holder(state);
    let none = GatewaySeen {
        running: false,
        url: None,
        version: None,
        uptime_ms: None,
        error: None,
    };
    let asked = place.gateway(READS, screen);
    let asked = asked.and_then(|remote| {
        let url = remote.target.url.as_str().to_owned();
        Ok((url, status_of(&remote, holder.clone())?))
    });
    match asked {
        Ok((url, status)) => {
            let seen = GatewaySeen {
                running: true,
                url: Some(url),
                version: status.version,
                uptime_ms: status.uptime_ms,
                error: None,
            };
            (seen, status.waiting)
        }
        // None runs here, and that is all.
        Err(Failure::Connect { .. }) if holder.is_none() && place.target.url.is_none() => {
            (none, None)
        }
        Err(failure) => {
            let error = Some(pairing_core::Chain(&failure).unescaped());
            (GatewaySeen { error, ..none }, None)
        }
    }
}

/// Who waits, by the store itself.
fn waiting_on_files(place: &Place<'_>, screen: &mut Screen<'_, '_>) -> Waiting {
    let mut local = Place::new(
        place.state.clone(),
        TargetOptions {
            local: true,
            ..TargetOptions::default()
        },
        place.environment(),
    );
    local.config.clone_from(&place.config);
    let Ok(backend @ Backend::Files(_)) = local.backend(READS, screen) else {
        return Waiting::default();
    };
    let senders = backend.waiting(None, None).ok().and_then(|channels| {
        // A count without the channels that cannot be read would be too low.
        let channels: Result<Vec<_>, _> = channels.into_iter().collect();
        Some(
            channels
                .ok()?
                .iter()
                .map(|channel| channel.requests.len())
                .sum(),
        )
    });
    Waiting {
        senders,
        devices: backend.devices().ok().map(|list| list.pending.len()),
        nodes: backend.nodes().ok().map(|list| list.waiting().len()),
    }
}

fn service(environment: &Environment<'_>) -> Option<ServiceSeen> {
    let installed = Installed::find(None, environment).ok()??;
    Some(ServiceSeen {
        file: installed.path.display().to_string(),
        is_ours: installed.is_ours,
        state: Supervisor::new(environment.machine).state(&installed),
    })
}

/// What to do next, the most urgent first.
fn next(overview: &Overview, state: &StateDir) -> Vec<Next> {
    let step = |command, why| Next { command, why };
    let mut next = Vec::new();
    if !state.config().exists() {
        next.push(step("openclaw setup", "nothing is set up here yet"));
    }
    if !overview.wrong.is_empty() {
        next.push(step("openclaw doctor", "something is wrong"));
    }
    if !overview.gateway.running {
        next.push(match &overview.service {
            None => step("openclaw gateway install", "no gateway runs"),
            Some(service) if service.state.as_deref() == Some("active") => step(
                "openclaw gateway logs",
                "the service runs, and does not answer",
            ),
            Some(_) => step(
                "openclaw gateway start",
                "the gateway's service does not run",
            ),
        });
    }
    let Waiting {
        devices,
        nodes,
        senders,
    } = overview.waiting;
    let some = |count: Option<usize>| count.is_some_and(|count| count > 0);
    if some(senders) {
        next.push(step("openclaw pairing list", "senders wait for you"));
    }
    if some(devices) {
        next.push(step("openclaw devices list", "devices wait for you"));
    }
    if some(nodes) {
        next.push(step("openclaw nodes pending", "nodes wait for you"));
    }
    next
}

fn show(overview: &Overview, screen: &mut Screen<'_, '_>) -> Result<(), Failure> {
    let clean = |text: &str| escape(text).limit(4096).to_string();
    let GatewaySeen {
        running,
        url,
        version,
        uptime_ms,
        error,
    } = &overview.gateway;
    let gateway = match (running, error) {
        (true, _) => {
            let span = std::time::Duration::from_millis(uptime_ms.unwrap_or_default());
            let version = version.as_deref().map_or_else(String::new, |version| {
                format!(", version {}", clean(version))
            });
            let url = clean(url.as_deref().unwrap_or_default());
            format!("runs at {url}{version}, for {}", text::span(span))
        }
        (false, Some(error)) => format!("cannot be asked: {}", clean(error)),
        (false, None) => "does not run".to_owned(),
    };
    let service = match &overview.service {
        None => "not installed".to_owned(),
        Some(service) => {
            let state = clean(service.state.as_deref().unwrap_or("not known"));
            let other = if service.is_ours {
                ""
            } else {
                " (of another program)"
            };
            format!("{state}{other}, {}", clean(&service.file))
        }
    };
    let Waiting {
        devices,
        nodes,
        senders,
    } = overview.waiting;
    let counts = [(senders, "sender"), (devices, "device"), (nodes, "node")];
    let counts = counts
        .iter()
        .filter_map(|(count, noun)| Some(((*count)? as u64, noun)));
    let counts: Vec<_> = counts
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| text::count(count, noun))
        .collect();
    let waiting = match (senders, counts.as_slice()) {
        (None, []) => "not known".to_owned(),
        (_, []) => "nobody".to_owned(),
        (_, counts) => counts.join(", "),
    };
    let wrong = match overview.wrong.len() as u64 {
        0 => "nothing".to_owned(),
        count => text::count(count, "problem"),
    };
    let state = format!("{}, {}", clean(&overview.state_dir), overview.store);
    for (fact, said) in [
        ("Gateway", gateway),
        ("Service", service),
        ("State", state),
        ("Waiting", waiting),
        ("Wrong", wrong),
    ] {
        fact_line(fact, &said, screen)?;
    }
    for wrong in overview.wrong.iter().take(SHOWN) {
        let advice = clean(&wrong.advice);
        fact_line("", &format!("{}: {advice}", clean(&wrong.what)), screen)?;
    }
    if overview.wrong.len() > SHOWN {
        fact_line(
            "",
            &format!("and {} more", overview.wrong.len() - SHOWN),
            screen,
        )?;
    }
    if overview.next.is_empty() {
        fact_line("Next", "nothing to do", screen)?;
    }
    for (at, Next { command, why }) in overview.next.iter().enumerate() {
        let fact = if at == 0 { "Next" } else { "" };
        fact_line(fact, &format!("{command} ({why})"), screen)?;
    }
    Ok(())
}

/// A fact beside its name, wrapped between words; a line with a tab in a pipe.
fn fact_line(fact: &str, said: &str, screen: &mut Screen<'_, '_>) -> Result<(), Failure> {
    if screen.has_tables() {
        let name = if fact.is_empty() {
            String::new()
        } else {
            format!("{fact}:")
        };
        screen.labelled(&name, 10, said)?;
    } else {
        screen.line(format_args!("{}\t{said}", fact.to_ascii_lowercase()))?;
    }
    Ok(())
}

impl From<&Finding> for Wrong {
    fn from(finding: &Finding) -> Self {
        let path = finding.path.display();
        Self {
            what: format!("{path}: {}", finding.detail),
            advice: finding.advice.clone(),
        }
    }
}
