//! `gateway`.

use std::collections::BTreeMap;
use std::sync::Arc;

use pairing_core::{Cidrs, Scope};

use crate::read::{Given, Reader, Section};
use crate::{Fault, GatewayLimits, Part, Secret};

/// The gateway: its addresses, and the proxies and secrets that it trusts.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Gateway {
    /// Whether the gateway runs on this machine or elsewhere.
    pub mode: Mode,
    /// The port that it listens on.
    pub port: u16,
    /// The addresses it listens on.
    pub bind: Bind,
    /// Addresses and networks whose forwarding headers are believed.
    pub trusted_proxies: Vec<String>,
    /// Further host names by which browsers may call it, beside `localhost` and the like.
    pub allowed_hosts: Vec<String>,
    /// The shared secret.
    pub auth: Auth,
    /// The browser's user interface.
    pub control_ui: ControlUi,
    /// Encryption.
    pub tls: Tls,
    /// A gateway elsewhere.
    pub remote: Remote,
    /// Devices that need not wait for the owner.
    pub auto_approve: AutoApprove,
    /// Whether a program on this machine that knows the shared secret and has no device gets every scope that it
    /// asks for. Where the file does not say, it does if another program made the file and `auto_approve.local` is
    /// set: programs that were made for that one may rely on it.
    pub local_admin: bool,
    /// Commands that nodes may be sent.
    pub node_commands: NodeCommands,
    /// Whether Tailscale makes the gateway reachable.
    pub tailscale: Tailscale,
    /// Limits on what each client may use.
    pub limits: GatewayLimits,
}

/// Where the gateway runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// On this machine.
    #[default]
    Local,
    /// Elsewhere: commands go to [`Remote::url`].
    Remote,
}

/// The addresses a gateway listens on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Bind {
    /// This machine only.
    #[default]
    Loopback,
    /// All addresses.
    Lan,
    /// The address in 100.64.0.0/10, or loopback where there is none.
    Tailnet,
    /// This one.
    Custom(String),
    /// Loopback.
    Auto,
}

/// The shared secret that connections present.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Auth {
    /// The kind of secret that counts; if it is not set, the one that is configured.
    pub mode: Option<AuthMode>,
    /// The shared token.
    pub token: Option<Secret>,
    /// The shared password.
    pub password: Option<Secret>,
    /// The proxies' word for their users; only if the mode is [`AuthMode::TrustedProxy`].
    pub trusted_proxy: Option<TrustedProxy>,
}

/// `gateway.auth.trustedProxy` and `identityScopes`: how a trusted proxy says whom it has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustedProxy {
    /// The header that names the user.
    pub user_header: String,
    /// Headers that have to be there, too.
    pub required_headers: Vec<String>,
    /// The users who may come; all if it is empty.
    pub allow_users: Vec<String>,
    /// If present, the scopes that each user has at most; users who are not in it have none.
    pub scopes: Option<BTreeMap<String, Vec<String>>>,
}

/// The kind of secret that a gateway asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// The token.
    Token,
    /// The password.
    Password,
    /// None.
    None,
    /// A user whom a trusted proxy has signed in. Devices are approved all the same.
    TrustedProxy,
}

/// The user interface in a browser.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ControlUi {
    /// Whether the page is served. By default, to browsers that come over TLS or from this machine.
    pub enabled: Option<bool>,
    /// Origins, beside the gateway's own, that may connect.
    pub allowed_origins: Vec<String>,
    /// The path that the page and the socket are below: `/openclaw`, without a slash at its end. Empty
    /// unless it is set.
    pub base_path: String,
}

/// Encryption of the gateway's connections.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Tls {
    /// Whether TLS is enabled.
    pub enabled: bool,
    /// The certificate's file.
    pub cert_path: Option<String>,
    /// The key's file.
    pub key_path: Option<String>,
    /// Whether to make a self-signed certificate if none is configured.
    pub auto_generate: bool,
}

/// A gateway elsewhere.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Remote {
    /// Its address.
    pub url: Option<String>,
    /// Its shared token.
    pub token: Option<Secret>,
    /// Its shared password.
    pub password: Option<Secret>,
    /// SHA-256 of its certificate, to pin it.
    pub tls_fingerprint: Option<String>,
}

/// `gateway.nodes.pairing`: devices that need not wait for the owner.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AutoApprove {
    /// Over real loopback, with the shared secret.
    pub local: bool,
    /// From these networks, as nodes without scopes.
    pub cidrs: Vec<String>,
}

/// `gateway.nodes.commands`: commands that nodes may be sent, beside their approval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeCommands {
    /// If present, the commands of [`NEED_OPT_IN`](Self::NEED_OPT_IN) that nodes may be sent.
    pub allow: Option<Vec<String>>,
    /// Commands that no node is sent, even if it is approved for them.
    pub deny: Vec<String>,
    /// Whether the list of denied commands cannot be understood: then every command is denied.
    pub denies_all: bool,
}

/// `gateway.tailscale.mode`: whether Tailscale makes the gateway reachable, by a proxy on this machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tailscale {
    /// It does not.
    #[default]
    Off,
    /// Within the tailnet.
    Serve,
    /// From everywhere.
    Funnel,
}

impl NodeCommands {
    /// Commands that pictures, sound, personal data or messages depend on. An owner who lists allowed commands has
    /// to list these for nodes to be sent them, as for release 2026.9.6. Without such a list, the approval of each
    /// node decides.
    pub const NEED_OPT_IN: [&str; 10] = [
        "calendar.add",
        "camera.clip",
        "camera.ptz.control",
        "camera.snap",
        "contacts.add",
        "health.summary",
        "reminders.add",
        "screen.record",
        "sms.search",
        "sms.send",
    ];

    /// Whether a command must not be sent to any node, and is not approved for any.
    pub fn denies(&self, command: &str) -> bool {
        self.denies_all || self.deny.iter().any(|denied| denied == command) || self.lacks(command)
    }

    /// Whether a command is missing from the list of allowed ones that it has to be on.
    pub fn lacks(&self, command: &str) -> bool {
        let is_listed = |allow: &Vec<String>| allow.iter().any(|allowed| allowed == command);
        let needs = Self::NEED_OPT_IN.contains(&command);
        needs && self.allow.as_ref().is_some_and(|allow| !is_listed(allow))
    }
}

impl Gateway {
    /// The default port.
    pub const PORT: u16 = 18789;

    /// Reads the section of a file that another program made, if `is_adopted`.
    pub(crate) fn read(mut at: Section<'_>, is_adopted: bool, reader: &mut Reader<'_>) -> Self {
        const MODES: [(&str, Mode); 2] = [("local", Mode::Local), ("remote", Mode::Remote)];
        let mode = at.choice("mode", &MODES, reader);
        let mode = reader.or_close(Part::Remote, mode);
        let port = at.port("port", reader);
        if let Err(fault) = &port {
            reader.close(Part::Remote, fault);
        }
        let port = reader.or_close(Part::Gateway, port);
        let mut nodes = at.child("nodes", reader);
        let auto_approve = auto_approve(nodes.child("pairing", reader), reader);
        let local_admin = at.flag("localAdmin", reader).unwrap_or(Some(false));
        let trusted_proxies = networks(&mut at, "trustedProxies", reader);
        let auth = auth(
            at.child("auth", reader),
            !trusted_proxies.is_empty(),
            reader,
        );
        let gateway = Self {
            mode: mode.unwrap_or_default(),
            port: port.unwrap_or(Self::PORT),
            bind: bind(&mut at, reader),
            trusted_proxies,
            allowed_hosts: listed(&mut at, "allowedHosts", reader),
            auth,
            control_ui: control_ui(at.child("controlUi", reader), reader),
            tls: tls(at.child("tls", reader), reader),
            remote: remote(at.child("remote", reader), mode, reader),
            local_admin: local_admin.unwrap_or(is_adopted && auto_approve.local),
            auto_approve,
            node_commands: node_commands(&mut nodes, reader),
            tailscale: tailscale(at.child("tailscale", reader), reader),
            limits: GatewayLimits::read(at.child("limits", reader), reader),
        };
        nodes.finish(reader);
        at.finish(reader);
        gateway
    }
}

/// A list that lets somebody in: faulty entries let nobody in.
fn listed(at: &mut Section<'_>, key: &'static str, reader: &mut Reader<'_>) -> Vec<String> {
    at.texts(key, reader).letting_in().unwrap_or_default()
}

/// Addresses and networks that are trusted: what is none is left out, and is a fault.
fn networks(at: &mut Section<'_>, key: &'static str, reader: &mut Reader<'_>) -> Vec<String> {
    let checked = at.checked_texts(key, reader, |range| {
        Cidrs::parse([range])
            .map(drop)
            .map_err(|error| error.to_string())
    });
    checked.letting_in().unwrap_or_default()
}

fn bind(at: &mut Section<'_>, reader: &mut Reader<'_>) -> Bind {
    #[derive(Clone, Copy)]
    enum Word {
        Loopback,
        Lan,
        Tailnet,
        Custom,
        Auto,
    }
    const WORDS: [(&str, Word); 5] = [
        ("loopback", Word::Loopback),
        ("lan", Word::Lan),
        ("tailnet", Word::Tailnet),
        ("custom", Word::Custom),
        ("auto", Word::Auto),
    ];
    let host = at.text("customBindHost", reader);
    match at.choice("bind", &WORDS, reader) {
        // What cannot be understood is kept to this machine.
        Err(_) | Ok(None | Some(Word::Loopback)) => Bind::Loopback,
        Ok(Some(Word::Lan)) => Bind::Lan,
        Ok(Some(Word::Tailnet)) => Bind::Tailnet,
        Ok(Some(Word::Auto)) => Bind::Auto,
        Ok(Some(Word::Custom)) => match host {
            Ok(Some(host)) => Bind::Custom(host),
            Err(_) => Bind::Loopback,
            Ok(None) => {
                at.fault("bind", "\"custom\" needs gateway.customBindHost", reader);
                Bind::Loopback
            }
        },
    }
}

fn auth(mut at: Section<'_>, has_proxies: bool, reader: &mut Reader<'_>) -> Auth {
    const MODES: [(&str, AuthMode); 4] = [
        ("token", AuthMode::Token),
        ("password", AuthMode::Password),
        ("none", AuthMode::None),
        ("trusted-proxy", AuthMode::TrustedProxy),
    ];
    let mode = at.choice("mode", &MODES, reader);
    let mode = reader.or_close(Part::Secret, mode);
    let token = at.secret("token", reader);
    let password = at.secret("password", reader);
    let is_by_proxy = mode == Some(AuthMode::TrustedProxy);
    let trusted_proxy = trusted_proxy(&mut at, is_by_proxy, reader);
    if is_by_proxy && !has_proxies {
        let detail =
            "\"trusted-proxy\" needs the addresses of the proxies in gateway.trustedProxies";
        at.fault("mode", detail, reader);
    }
    let (counts, other) = match mode {
        Some(AuthMode::Password) => (&password, &token),
        _ => (&token, &password),
    };
    let is_other_needed = mode.is_none() && matches!(counts, Ok(None));
    match (counts, other) {
        _ if mode == Some(AuthMode::None) => {}
        _ if is_by_proxy => {
            if let Err(fault) = &password {
                reader.close(Part::Secret, fault);
            }
        }
        (Err(fault), _) => reader.close(Part::Secret, fault),
        (_, Err(fault)) if is_other_needed => reader.close(Part::Secret, fault),
        _ => {}
    }
    at.finish(reader);
    Auth {
        mode,
        token: token.unwrap_or(None),
        password: password.unwrap_or(None),
        trusted_proxy,
    }
}

/// What a proxy says of its users. A fault in it closes the gateway if it counts.
fn trusted_proxy(
    auth: &mut Section<'_>,
    counts: bool,
    reader: &mut Reader<'_>,
) -> Option<TrustedProxy> {
    fn header(text: &str) -> Result<(), String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if !text.is_empty() && text.len() <= 128 && text.bytes().all(plain) {
            Ok(())
        } else {
            Err("is no name of a header".to_owned())
        }
    }
    let is_limited = auth.has("identityScopes");
    let of_users = auth.child("identityScopes", reader);
    let users = of_users.lists(reader);
    let mut scopes = BTreeMap::new();
    let mut bad = of_users.broken().cloned();
    for (user, names) in users {
        match names.keeping_out() {
            Ok(names) => {
                let names = names.unwrap_or_default();
                if let Some(name) = names.iter().find(|name| Scope::parse(name).is_err()) {
                    let detail = format!("{} is no scope", pairing_core::quoted(name).limit(64));
                    bad = Some(of_users.fault(&user, &detail, reader));
                }
                scopes.insert(user, names);
            }
            Err(fault) => bad = Some(fault),
        }
    }
    let mut at = auth.child("trustedProxy", reader);
    let user_header = match at.text("userHeader", reader) {
        Ok(Some(name)) => match header(&name) {
            Ok(()) => Ok(name),
            Err(detail) => Err(at.fault("userHeader", &detail, reader)),
        },
        Ok(None) if counts => {
            let detail = "\"trusted-proxy\" needs gateway.auth.trustedProxy.userHeader";
            Err(auth.fault("mode", detail, reader))
        }
        Ok(None) => Ok(String::new()),
        Err(fault) => Err(fault),
    };
    let required_headers = at
        .checked_texts("requiredHeaders", reader, header)
        .keeping_out();
    let allow_users = at.texts("allowUsers", reader).keeping_out();
    at.finish(reader);
    let mut close = |fault: &Arc<Fault>| {
        if counts {
            reader.close(Part::Secret, fault);
        }
    };
    for fault in bad.iter().chain(user_header.as_ref().err()) {
        close(fault);
    }
    for list in [&required_headers, &allow_users] {
        if let Err(fault) = list {
            close(fault);
        }
    }
    Some(TrustedProxy {
        user_header: user_header.ok()?,
        required_headers: required_headers.ok()?.unwrap_or_default(),
        allow_users: allow_users.ok()?.unwrap_or_default(),
        scopes: is_limited.then_some(scopes),
    })
    .filter(|_| counts && bad.is_none())
}

fn control_ui(mut at: Section<'_>, reader: &mut Reader<'_>) -> ControlUi {
    let enabled = at.flag("enabled", reader);
    let enabled = reader.or_close(Part::Page, enabled);
    let base_path = base_path(&mut at, reader);
    let base_path = reader.or_close(Part::Page, base_path);
    let is_closed = reader.closed.contains_key(&Part::Page);
    let control_ui = ControlUi {
        enabled: if is_closed { Some(false) } else { enabled },
        allowed_origins: listed(&mut at, "allowedOrigins", reader),
        base_path: base_path.unwrap_or_default(),
    };
    at.finish(reader);
    control_ui
}

/// A path such as `/openclaw`, with or without slashes around it.
fn base_path(at: &mut Section<'_>, reader: &mut Reader<'_>) -> Given<String> {
    let Some(text) = at.text("basePath", reader)? else {
        return Ok(None);
    };
    let parts: Vec<_> = text
        .trim()
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    let is_good = |part: &&str| part.chars().all(plain) && !matches!(*part, "." | "..");
    if !parts.iter().all(is_good) || text.len() > 256 {
        let detail =
            "is no path such as /openclaw: letters, digits, `-`, `_`, `.` and `~` between slashes";
        return Err(at.fault("basePath", detail, reader));
    }
    let joined = parts.iter().map(|part| format!("/{part}"));
    Ok(Some(joined.collect()))
}

fn tls(mut at: Section<'_>, reader: &mut Reader<'_>) -> Tls {
    let enabled = at.flag("enabled", reader);
    let is_faulty = enabled.is_err();
    let enabled = reader.or_close(Part::Gateway, enabled).unwrap_or(is_faulty);
    let needed = |given: Given<String>, reader: &mut Reader<'_>| match given {
        Err(fault) if enabled => {
            reader.close(Part::Gateway, &fault);
            None
        }
        given => given.unwrap_or(None),
    };
    let (certificate, key) = (at.text("certPath", reader), at.text("keyPath", reader));
    let (cert_path, key_path) = (needed(certificate, reader), needed(key, reader));
    let auto_generate = at.flag("autoGenerate", reader);
    at.finish(reader);
    Tls {
        enabled,
        cert_path,
        key_path,
        auto_generate: auto_generate.unwrap_or(Some(false)).unwrap_or(true),
    }
}

fn remote(mut at: Section<'_>, mode: Option<Mode>, reader: &mut Reader<'_>) -> Remote {
    let (url, pin) = (at.text("url", reader), at.text("tlsFingerprint", reader));
    let (token, password) = (at.secret("token", reader), at.secret("password", reader));
    at.finish(reader);
    let faults = [
        url.as_ref().err(),
        pin.as_ref().err(),
        token.as_ref().err(),
        password.as_ref().err(),
    ];
    for fault in faults
        .into_iter()
        .flatten()
        .filter(|_| mode == Some(Mode::Remote))
    {
        reader.close(Part::Remote, fault);
    }
    Remote {
        // Without its pin it is not known to be the same gateway.
        url: url.unwrap_or(None).filter(|_| pin.is_ok()),
        token: token.unwrap_or(None),
        password: password.unwrap_or(None),
        tls_fingerprint: pin.unwrap_or(None),
    }
}

fn auto_approve(mut at: Section<'_>, reader: &mut Reader<'_>) -> AutoApprove {
    let local = at.flag("autoApproveLocal", reader);
    let auto_approve = AutoApprove {
        local: local.unwrap_or(Some(false)).unwrap_or(true),
        cidrs: networks(&mut at, "autoApproveCidrs", reader),
    };
    at.finish(reader);
    auto_approve
}

fn node_commands(nodes: &mut Section<'_>, reader: &mut Reader<'_>) -> NodeCommands {
    let mut at = nodes.child("commands", reader);
    let older = nodes.texts("allowCommands", reader).letting_in();
    let allow = at.texts("allow", reader).letting_in().or(older);
    // Both spellings deny.
    let lists = [
        at.texts("deny", reader).keeping_out(),
        nodes.texts("denyCommands", reader).keeping_out(),
    ];
    let mut commands = NodeCommands {
        allow: allow.map(|allow| allow.iter().map(|name| name.trim().to_owned()).collect()),
        ..NodeCommands::default()
    };
    for list in lists {
        commands.denies_all |= list.is_err();
        let denied = reader.or_close(Part::Nodes, list);
        let denied = denied.unwrap_or_default().into_iter();
        commands
            .deny
            .extend(denied.map(|command| command.trim().to_owned()));
    }
    at.finish(reader);
    commands
}

fn tailscale(mut at: Section<'_>, reader: &mut Reader<'_>) -> Tailscale {
    const MODES: [(&str, Tailscale); 3] = [
        ("off", Tailscale::Off),
        ("serve", Tailscale::Serve),
        ("funnel", Tailscale::Funnel),
    ];
    let mode = at.choice("mode", &MODES, reader);
    at.finish(reader);
    mode.unwrap_or(None).unwrap_or_default()
}
