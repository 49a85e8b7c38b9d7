//! A whole gateway on a state directory, as `openclaw gateway run` runs it.

use gateway_protocol::GatewayUrl;
use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use gateway_client::{Client, Connect, ConnectError, Events};
use openclaw_config::Bind;
use openclaw_gateway::{Announcement, ServeError, ServeOptions, TokenPlace, serve};
use pairing_core::ScopeSet;
use pairing_fs::StateDir;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::NEVER;

pub(crate) struct Served {
    pub(crate) told: Announcement,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServeError>>,
}

pub(crate) fn options(state: &Path) -> ServeOptions {
    ServeOptions {
        state: StateDir::at(state),
        var: Arc::new(|_| None),
        port: Some(0),
        bind: None,
        listeners: Arc::default(),
        token: None,
        reread: Arc::default(),
        alive: None,
    }
}

pub(crate) async fn try_serve(options: ServeOptions) -> Result<Served, ServeError> {
    let (stop, stopped) = oneshot::channel();
    let (tell, told) = oneshot::channel();
    let task = tokio::spawn(serve(
        options,
        move |announced| tell.send(announced.clone()).unwrap(),
        async {
            let _ = stopped.await;
        },
    ));
    match told.await {
        Ok(told) => Ok(Served { told, stop, task }),
        Err(_) => Err(task.await.unwrap().unwrap_err()),
    }
}

impl Served {
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.told.addresses[0]
    }

    fn url(&self) -> GatewayUrl {
        let port = self.told.addresses[0].port();
        GatewayUrl::parse(&format!("ws://127.0.0.1:{port}")).unwrap()
    }

    pub(crate) async fn admin(&self, token: &str) -> Result<(Client, Events), ConnectError> {
        let connect = Connect::to(self.url()).token(token.to_owned().into());
        connect.scopes(ScopeSet::admin()).open().await
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn token_in(config: &Path) -> String {
    let text = std::fs::read_to_string(config).unwrap();
    let config = openclaw_config::Config::parse(&text).unwrap();
    config.gateway.auth.token.unwrap().expose().to_owned()
}

#[tokio::test]
async fn a_fresh_machine_gets_a_directory_and_a_token_that_nobody_else_can_read() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let served = try_serve(options(&state)).await.unwrap();
    let TokenPlace::MadeInConfig(config) = served.told.token.clone() else {
        panic!("{:?}", served.told)
    };
    assert_eq!((mode(&state), mode(&config)), (0o700, 0o600));
    assert!(
        served
            .told
            .addresses
            .iter()
            .all(|address| address.ip().is_loopback())
    );
    let token = token_in(&config);
    assert!(!format!("{:?}", served.told).contains(&token));
    let (admin, _events) = served.admin(&token).await.unwrap();
    let health: Value = admin.call("health", json!({})).await.unwrap();
    assert_eq!(health["ok"], true);
    assert!(served.admin("wrong").await.is_err());
    served.stop().await;
    // The next start finds what the first has made.
    let before = std::fs::read_to_string(&config).unwrap();
    let served = try_serve(options(&state)).await.unwrap();
    assert_eq!(served.told.token, TokenPlace::Set);
    assert_eq!(std::fs::read_to_string(&config).unwrap(), before);
    served.stop().await;
}

#[tokio::test]
async fn a_second_gateway_on_the_directory_says_which_process_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let served = try_serve(options(dir.path())).await.unwrap();
    let Err(error @ ServeError::Instance(_)) = try_serve(options(dir.path())).await else {
        panic!("there are two")
    };
    let text = error.to_string();
    assert!(text.contains(&std::process::id().to_string()), "{text}");
    assert!(
        text.contains(&served.told.addresses[0].port().to_string()),
        "{text}"
    );
    assert!(error.advice().unwrap().contains("stop that one first"));
    served.stop().await;
    try_serve(options(dir.path())).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_that_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let options = ServeOptions {
        port: Some(port),
        ..options(dir.path())
    };
    let Err(error @ ServeError::Listen { .. }) = try_serve(options).await else {
        panic!("it listens")
    };
    assert_eq!(
        error.to_string(),
        format!("cannot listen on 127.0.0.1:{port}")
    );
    assert!(error.advice().unwrap().contains("--port"));
}

#[tokio::test]
async fn sockets_that_listen_already_are_used_and_guarded_alike() {
    use std::net::{TcpListener, TcpStream};
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("openclaw.json");
    std::fs::write(&config, "{ gateway: { auth: { token: 'the-token' } } }").unwrap();
    let with = |listener: TcpListener| ServeOptions {
        listeners: Arc::new([listener]),
        ..options(dir.path())
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = try_serve(with(listener)).await.unwrap();
    assert_eq!(served.told.addresses, [address]);
    served.admin("the-token").await.unwrap();
    served.stop().await;

    // What `Accept=yes` hands over is a connection.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = TcpStream::connect(other.local_addr().unwrap()).unwrap();
    let connection = TcpListener::from(std::os::fd::OwnedFd::from(connection));
    let Err(error @ ServeError::Handed(_)) = try_serve(with(connection)).await else {
        panic!("it listens")
    };
    assert!(error.advice().unwrap().contains("Accept=yes"));

    std::fs::write(&config, "{ gateway: { auth: { mode: 'none' } } }").unwrap();
    let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
    let Err(ServeError::Bind(_)) = try_serve(with(everywhere)).await else {
        panic!("it listens")
    };
}

#[tokio::test]
async fn beyond_loopback_it_takes_a_secret() {
    let dir = tempfile::tempdir().unwrap();
    let config = "{ gateway: { auth: { mode: 'none' } } }";
    std::fs::write(dir.path().join("openclaw.json"), config).unwrap();
    let options = ServeOptions {
        bind: Some(Bind::Lan),
        ..options(dir.path())
    };
    let Err(error @ ServeError::Bind(_)) = try_serve(options).await else {
        panic!("it listens")
    };
    assert!(error.advice().is_some(), "{error}");
}

#[tokio::test]
async fn the_environment_and_a_token_file_win_over_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let config = "{ gateway: { auth: { token: 'from-the-file' } } }";
    std::fs::write(dir.path().join("openclaw.json"), config).unwrap();
    let vars = HashMap::from([("OPENCLAW_GATEWAY_TOKEN", "from-the-environment")]);
    let with_vars = ServeOptions {
        var: Arc::new(move |name| vars.get(name).map(Into::into)),
        ..options(dir.path())
    };
    let served = try_serve(with_vars.clone()).await.unwrap();
    served.admin("from-the-environment").await.unwrap();
    assert!(served.admin("from-the-file").await.is_err());
    served.stop().await;
    let file = dir.path().join("given");
    std::fs::write(&file, "given\n").unwrap();
    let given = ServeOptions {
        token: Some(openclaw_gateway::read_token(&file).unwrap()),
        ..with_vars
    };
    let served = try_serve(given).await.unwrap();
    served.admin("given").await.unwrap();
    assert!(served.admin("from-the-environment").await.is_err());
    served.stop().await;
}

#[tokio::test]
async fn a_configuration_that_changes_is_gone_by_and_a_broken_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("openclaw.json");
    let write = |text: &str| {
        let staged = dir.path().join("staged");
        std::fs::write(&staged, text).unwrap();
        std::fs::rename(&staged, &config).unwrap();
    };
    write("{ gateway: { auth: { token: 'one' } } }");
    let served = try_serve(options(dir.path())).await.unwrap();
    let (first, _events) = served.admin("one").await.unwrap();
    write("{ gateway: { auth: { token: 'two' } } }");
    assert_eq!(first.closed().await.code, 1008);
    assert!(served.admin("one").await.is_err());
    let (second, _events) = served.admin("two").await.unwrap();
    // Neither of these is one, and the last is: in between, nobody was disconnected.
    write("{ gateway: { auth: { token: ");
    write("{ gateway: { auth: { mode: 'password' } } }");
    let health: Value = second.call("health", json!({})).await.unwrap();
    assert_eq!(health["ok"], true);
    write("{ gateway: { auth: { token: 'three' } } }");
    assert_eq!(second.closed().await.code, 1008);
    served.admin("three").await.unwrap();
    served.stop().await;
}

#[tokio::test]
async fn what_another_program_does_to_the_files_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let credentials = dir.path().join("credentials");
    std::fs::create_dir_all(&credentials).unwrap();
    let served = try_serve(options(dir.path())).await.unwrap();
    let (_admin, mut events) = crate::owner_socket::owner(dir.path()).await.unwrap();
    for (file, channel) in [
        ("telegram-allowFrom.json", "telegram"),
        ("signal-work-allowFrom.json", "signal"),
    ] {
        let (path, entry) = (credentials.join(file), "+15550001111");
        let text = json!({ "version": 1, "allowFrom": [entry.trim_start_matches('+'), entry] });
        for text in [Some(text.to_string()), None] {
            match text {
                Some(text) => std::fs::write(&path, text).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            loop {
                let event = tokio::time::timeout(NEVER, events.next()).await;
                let event = event.unwrap().unwrap();
                if let gateway_client::ClientEvent::PairingChanged(changed) = event
                    && changed.channels.iter().any(|id| id.as_str() == channel)
                {
                    break;
                }
            }
        }
    }
    served.stop().await;
}
