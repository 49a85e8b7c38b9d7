//! `openclaw setup`: three questions, and then what leads to the first approved message.
//!
//! Each question has an option, so that it runs unattended. What is set already is kept.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use openclaw_config::{Config, KeyPath};
use pairing_core::{
    AccountId, ChannelError, ChannelId, ChannelRules, Channels, Scope, escape, quoted,
};
use pairing_fs::{NoStateDir, StateDir};
use serde::Serialize;
use serde_json::Value;

use crate::args::{FirstRunOptions, TargetOptions};
use crate::backend::Backend;
use crate::console::Screen;
use crate::failure::FirstRunError;
use crate::place::Place;
use crate::purpose::Purpose;
use crate::watch::Source;
use crate::{Environment, Exit, Failure, config};

/// The answer that leaves a question open.
const NONE: &str = "none";

/// The keys of a channel's secrets, and the variables that may hold them instead.
const SECRETS: &[(&str, &[(&str, &str)])] = &[
    ("telegram", &[("botToken", "TELEGRAM_BOT_TOKEN")]),
    ("discord", &[("token", "DISCORD_BOT_TOKEN")]),
    (
        "slack",
        &[
            ("botToken", "SLACK_BOT_TOKEN"),
            ("appToken", "SLACK_APP_TOKEN"),
        ],
    ),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    state_dir: String,
    config: String,
    channel: Option<ChannelId>,
    owner: Option<String>,
    /// The commands that follow.
    next: Vec<String>,
}

/// A command that follows, and what it is for.
struct Step {
    command: String,
    purpose: String,
}

/// Asks, sets the configuration, and says what comes next.
pub(crate) fn run(
    options: &FirstRunOptions,
    state: Result<StateDir, NoStateDir>,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let state = place(options, state?, environment, screen)?;
    let rules = channel(options, environment, screen)?;
    let owner = owner(options, rules.as_ref(), environment, screen)?;
    let changes = changes(&state, rules.as_ref(), owner.as_deref(), environment)?;
    let path = config::set(&state, environment, &changes)?;
    let config = Config::load_in(state.root(), state.config(), |name| (environment.var)(name))?;
    let steps = steps(
        &state,
        rules.as_ref(),
        owner.as_deref(),
        &config,
        environment,
    )?;
    let channel = rules.as_ref().map(|rules| rules.id().clone());
    if options.json {
        screen.json(&Done {
            state_dir: state.root().display().to_string(),
            config: path,
            channel,
            owner,
            next: steps
                .into_iter()
                .map(|step| step.command)
                .filter(|command| !command.is_empty())
                .collect(),
        })?;
        return Ok(Exit::Done);
    }
    screen.line(format_args!("The configuration is in {path}"))?;
    screen.line("What comes next:")?;
    for (number, Step { command, purpose }) in (1..).zip(&steps) {
        if command.is_empty() {
            screen.line(format_args!("  {number}. {purpose}"))?;
        } else {
            screen.line(format_args!("  {number}. {purpose}:\n     {command}"))?;
        }
    }
    match channel {
        Some(channel) if options.wait => {
            wait(&channel, owner.is_none(), state, environment, screen)
        }
        _ => Ok(Exit::Done),
    }
}

/// The first question.
fn place(
    options: &FirstRunOptions,
    state: StateDir,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<StateDir, Failure> {
    let Some(answer) = environment.answer.filter(|_| !options.state_dir_is_named) else {
        return Ok(state);
    };
    let usual = state.root().display().to_string();
    let usual = escape(&usual).limit(4096);
    screen.line(format_args!("Where is the state? Enter keeps {usual}"))?;
    screen.flush()?;
    let given = answer()?;
    Ok(match given.trim() {
        "" => state,
        path => StateDir::at(expanded(path, environment)),
    })
}

/// The second question.
fn channel(
    options: &FirstRunOptions,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Option<ChannelRules>, Failure> {
    let channels = Channels::builtin();
    let given = match (&options.channel, environment.answer) {
        (Some(channel), _) => channel.clone(),
        (None, None) => {
            return Err(FirstRunError::Unanswered {
                question: "which channel is the bot on?",
                option: "--channel telegram",
            }
            .into());
        }
        (None, Some(answer)) => {
            let known: Vec<_> = channels
                .iter()
                .map(|rules| rules.id().to_string())
                .collect();
            let known = known.join(", ");
            screen.line(format_args!(
                "Which channel is the bot on? {known}; Enter for none yet"
            ))?;
            screen.flush()?;
            answer()?
        }
    };
    let given = given.trim();
    if given.is_empty() || given == NONE {
        return Ok(None);
    }
    let id = ChannelId::parse(given).map_err(Failure::Account)?;
    let rules = channels.get(&id);
    let rules = rules.ok_or_else(|| ChannelError::Unknown {
        channel: id.clone(),
        known: channels.iter().map(|rules| rules.id().clone()).collect(),
    })?;
    Ok(Some(ChannelRules::clone(rules)))
}

/// The third question. Returns the owner with their channel, as the configuration names them.
fn owner(
    options: &FirstRunOptions,
    rules: Option<&ChannelRules>,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Option<String>, Failure> {
    let given = match (&options.owner, environment.answer, rules) {
        (Some(owner), ..) => owner.clone(),
        (None, _, None) => return Ok(None),
        (None, None, Some(_)) => {
            return Err(FirstRunError::Unanswered {
                question: "who is the owner?",
                option: "--owner telegram:12345",
            }
            .into());
        }
        (None, Some(answer), Some(rules)) => {
            let label = rules.id_label();
            screen.line(format_args!(
                "Who is the owner? Your {label}; Enter if you do not know it: the first approval can say it"
            ))?;
            screen.flush()?;
            answer()?
        }
    };
    let given = given.trim();
    if given.is_empty() || given == NONE {
        return Ok(None);
    }
    let rules = rules.ok_or(FirstRunError::OwnerOfNoChannel)?;
    let channel = rules.id();
    let bare = given.strip_prefix(channel.as_str());
    let bare = bare
        .and_then(|rest| rest.strip_prefix(':'))
        .unwrap_or(given);
    let sender = rules.sender(bare).map_err(|_| FirstRunError::Owner {
        owner: given.to_owned(),
        channel: channel.clone(),
    })?;
    Ok(Some(format!("{channel}:{}", sender.as_str())))
}

/// What the answers change. What the file says already is kept.
fn changes(
    state: &StateDir,
    rules: Option<&ChannelRules>,
    owner: Option<&str>,
    environment: &Environment<'_>,
) -> Result<Vec<(KeyPath, String)>, Failure> {
    let mut changes = Vec::new();
    if let Some(rules) = rules {
        let key = |name: &str| config::key(&format!("channels.{}.{name}", rules.id()));
        if let Some(policy) = key("dmPolicy")
            && config::get(state, environment, &policy)?.is_none()
        {
            changes.push((policy, Value::from("pairing").to_string()));
        }
        // A channel that was turned off is meant to be on again.
        if let Some(enabled) = key("enabled")
            && config::get(state, environment, &enabled)? == Some(Value::Bool(false))
        {
            changes.push((enabled, Value::Bool(true).to_string()));
        }
    }
    if let (Some(owner), Some(key)) = (owner, config::key("commands.ownerAllowFrom")) {
        let mut owners = match config::get(state, environment, &key)? {
            Some(Value::Array(owners)) => owners,
            _ => Vec::new(),
        };
        let owner = Value::from(owner);
        if !owners.contains(&owner) {
            owners.push(owner);
            changes.push((key, Value::Array(owners).to_string()));
        }
    }
    Ok(changes)
}

/// The way to the first approved message.
fn steps(
    state: &StateDir,
    rules: Option<&ChannelRules>,
    owner: Option<&str>,
    config: &Config,
    environment: &Environment<'_>,
) -> Result<Vec<Step>, Failure> {
    let step = |command: String, purpose: String| Step { command, purpose };
    let mut steps = Vec::new();
    let usual = StateDir::from_env(|name| (environment.var)(name));
    if usual.is_ok_and(|usual| usual.root() != state.root()) {
        // Later commands run in other directories.
        let root = std::path::absolute(state.root()).unwrap_or_else(|_| state.root().to_owned());
        let root = root.display().to_string();
        let root = escape(&root).limit(4096).to_string();
        steps.push(step(
            format!("export OPENCLAW_STATE_DIR={}", shell_word(&root)),
            "tell every command where the state is, as in your shell's profile".to_owned(),
        ));
    }
    if let Some(rules) = rules {
        let channel = rules.id();
        match SECRETS.iter().find(|(name, _)| *name == channel.as_str()) {
            Some((_, keys)) => {
                let is_in_file = |name: &str| -> Result<bool, Failure> {
                    let key = config::key(&format!("channels.{channel}.{name}"));
                    let found = key.map(|key| config::get(state, environment, &key));
                    Ok(found.transpose()?.flatten().is_some())
                };
                for (key, variable) in *keys {
                    let of_variable = config.variable(variable, |name| (environment.var)(name));
                    if of_variable.is_some() || is_in_file(key)? || is_in_file("tokenFile")? {
                        continue;
                    }
                    steps.push(step(
                        format!("openclaw config set channels.{channel}.{key} --stdin"),
                        format!("put in the bot's secret ({key})"),
                    ));
                }
            }
            None => steps.push(step(
                String::new(),
                format!("put in what the chapter about {channel} names, by `openclaw config set`"),
            )),
        }
    }
    steps.push(step(
        "openclaw gateway install".to_owned(),
        "have the system run the gateway (`openclaw gateway run` tries it on this terminal)"
            .to_owned(),
    ));
    if let Some(rules) = rules {
        let channel = rules.id();
        steps.push(step(
            String::new(),
            "write to the bot: it answers with a code".to_owned(),
        ));
        let owner = if owner.is_none() { " --make-owner" } else { "" };
        steps.push(step(
            format!("openclaw pairing approve {channel} CODE{owner}"),
            "approve yourself with it".to_owned(),
        ));
    }
    steps.push(step(
        "openclaw status".to_owned(),
        "see how all of it is".to_owned(),
    ));
    Ok(steps)
}

const LISTS: Purpose = Purpose {
    scopes: &[Scope::PAIRING],
    needs: &["pairing.list", "pairing.allowed"],
    decides: false,
};

/// Says who asks, until one of them is approved.
fn wait(
    channel: &ChannelId,
    makes_owner: bool,
    state: StateDir,
    environment: &Environment<'_>,
    screen: &mut Screen<'_, '_>,
) -> Result<Exit, Failure> {
    let mut place = Place::new(Ok(state), TargetOptions::default(), environment);
    place.load()?;
    let mut backend = place.backend(LISTS, screen)?;
    let source = Source::follow(&mut backend)?;
    let account = AccountId::default();
    let allowed = |backend: &Backend| -> Result<BTreeSet<String>, Failure> {
        let allowed = backend.allowed(channel, &account)?;
        let entries = allowed.entries.iter();
        Ok(entries
            .map(|entry| crate::backend::written(entry).to_owned())
            .collect())
    };
    let before = allowed(&backend)?;
    if let Some(sender) = before.first() {
        screen.line(format_args!(
            "{channel}: {} is approved already.",
            quoted(sender)
        ))?;
        return Ok(Exit::Done);
    }
    screen.note("Waiting for the first sender; Ctrl-C ends that.");
    let mut told = BTreeSet::new();
    loop {
        for read in backend.waiting(Some(channel), Some(&account))? {
            for waiting in read?.requests {
                let request = &waiting.request;
                let code = escape(request.handle.as_str()).to_string();
                if told.insert(code.clone()) {
                    let owner = if makes_owner { " --make-owner" } else { "" };
                    screen.line(format_args!(
                        "{} waits: openclaw pairing approve {channel} {code}{owner}",
                        quoted(request.sender.as_str())
                    ))?;
                    screen.flush()?;
                }
            }
        }
        if let Some(sender) = allowed(&backend)?.first() {
            screen.line(format_args!(
                "{channel}: {} is approved. The bot takes their messages from now on.",
                quoted(sender)
            ))?;
            source.end();
            return Ok(Exit::Done);
        }
        source.wait()?;
    }
}

fn expanded(path: &str, environment: &Environment<'_>) -> PathBuf {
    let home = (environment.var)("HOME").map(PathBuf::from);
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => Path::new(path).to_owned(),
    }
}

/// A word as a shell takes it.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:+,@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let mut word = String::new();
    // Writing to a string does not fail.
    let _ = write!(word, "'{}'", text.replace('\'', "'\\''"));
    word
}
