use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use super::*;
use crate::{Overrides, Settings, Shared};

fn entropy() -> Mutex<ChaCha20Rng> {
    Mutex::new(ChaCha20Rng::seed_from_u64(7))
}

struct Broken;

impl Entropy for Broken {
    fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError::new("drained"))
    }
}

fn no_vars(_: &str) -> Option<OsString> {
    None
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A state directory in which the configuration says this.
fn configured(text: &str) -> (tempfile::TempDir, StateDir) {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::at(dir.path().join("state"));
    fs::create_dir(state.root()).unwrap();
    fs::write(state.config(), text).unwrap();
    (dir, state)
}

/// Whether the token admits a client.
fn lets_in(prepared: &Prepared, token: &str) -> bool {
    let overrides = Overrides {
        kept: prepared.kept.clone(),
        ..Overrides::default()
    };
    let settings = Settings::from_config(&prepared.config, &overrides).unwrap();
    settings.secret.check(Some(token), None) == Ok(Shared::Token)
}

#[test]
fn a_fresh_machine_gets_a_configuration_with_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::at(dir.path().join("a/state"));
    let prepared = prepare(&state, no_vars, false, &entropy()).unwrap();
    assert_eq!(
        prepared.token,
        TokenPlace::MadeInConfig(state.config().to_owned())
    );
    assert_eq!((mode(state.root()), mode(state.config())), (0o700, 0o600));
    let text = fs::read_to_string(state.config()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["gateway"]["mode"], "local");
    let token = json["gateway"]["auth"]["token"].as_str().unwrap();
    assert_eq!(token.len(), 43);
    assert!(lets_in(&prepared, token));
    let shown = format!("{} {prepared:?}", prepared.token);
    assert!(
        shown.contains("openclaw.json") && !shown.contains(token),
        "{shown}"
    );

    // The second start finds it.
    let again = prepare(&state, no_vars, false, &Broken).unwrap();
    assert_eq!(again.token, TokenPlace::Set);
    assert!(lets_in(&again, token));
    assert_eq!(fs::read_to_string(state.config()).unwrap(), text);
}

#[test]
fn t85_an_existing_configuration_is_never_written_to() {
    for text in [
        "{}",
        "// mine\n{ gateway: { port: 1 } }",
        "{ gateway: { auth: { mode: 'token' } } }",
    ] {
        let (_dir, state) = configured(text);
        let prepared = prepare(&state, no_vars, false, &entropy()).unwrap();
        let path = token_path(&state);
        assert_eq!(prepared.token, TokenPlace::Made(path.clone()));
        assert_eq!(mode(&path), 0o600);
        let token = fs::read_to_string(&path).unwrap();
        assert!(lets_in(&prepared, token.trim_end()));
        assert!(!format!("{prepared:?}").contains(token.trim_end()));

        let again = prepare(&state, no_vars, false, &Broken).unwrap();
        assert_eq!(again.token, TokenPlace::Kept(path));
        assert!(lets_in(&again, token.trim_end()));
        assert_eq!(fs::read_to_string(state.config()).unwrap(), text);
        assert_eq!(fs::read_dir(state.root()).unwrap().count(), 2);
    }
}

#[test]
fn a_token_that_is_kept_outlives_the_configuration() {
    let (_dir, state) = configured("{}");
    let first = prepare(&state, no_vars, false, &entropy()).unwrap();
    fs::remove_file(state.config()).unwrap();
    let again = prepare(&state, no_vars, false, &Broken).unwrap();
    assert!(lets_in(&again, first.kept.unwrap().expose()));
    assert!(!state.config().exists());
}

#[test]
fn where_there_is_a_secret_none_is_made() {
    let texts = [
        ("{ gateway: { auth: { token: 't' } } }", TokenPlace::Set),
        ("{ gateway: { auth: { password: 'p' } } }", TokenPlace::Set),
        ("{ gateway: { auth: { mode: 'none' } } }", TokenPlace::Open),
    ];
    for (text, place) in texts {
        let (_dir, state) = configured(text);
        let prepared = prepare(&state, no_vars, false, &Broken).unwrap();
        assert_eq!((prepared.token, prepared.kept.is_none()), (place, true));
        assert_eq!(fs::read_dir(state.root()).unwrap().count(), 1);
    }
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::at(dir.path());
    let var = |name: &str| (name == "OPENCLAW_GATEWAY_TOKEN").then(|| OsString::from("env"));
    assert!(lets_in(
        &prepare(&state, var, false, &Broken).unwrap(),
        "env"
    ));
    prepare(&state, no_vars, true, &Broken).unwrap();
    assert_eq!(fs::read_dir(state.root()).unwrap().count(), 0);
}

#[test]
fn many_at_once_end_with_one_token() {
    for text in [None, Some("{}")] {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        if let Some(text) = text {
            fs::write(state.config(), text).unwrap();
        }
        let all: Vec<_> = std::thread::scope(|scope| {
            let start = |seed| {
                let state = &state;
                scope.spawn(move || {
                    let entropy = Mutex::new(ChaCha20Rng::seed_from_u64(seed));
                    prepare(state, no_vars, false, &entropy).unwrap()
                })
            };
            let threads: Vec<_> = (0..4).map(start).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(
            all.iter()
                .filter(|prepared| prepared.token.is_new())
                .count(),
            1
        );
        let secret = |prepared: &Prepared| match &prepared.kept {
            Some(kept) => kept.expose().to_owned(),
            None => prepared
                .config
                .gateway
                .auth
                .token
                .as_ref()
                .unwrap()
                .expose()
                .to_owned(),
        };
        assert!(
            all.iter()
                .all(|prepared| secret(prepared) == secret(&all[0]))
        );
        let count = fs::read_dir(state.root()).unwrap().count();
        assert_eq!(count, 1 + usize::from(text.is_some()));
    }
}

#[test]
fn t85_a_placeholder_is_no_token() {
    for text in [
        "",
        "\n",
        "***",
        "__OPENCLAW_REDACTED__",
        "two\nlines",
        &"x".repeat(4097),
    ] {
        let (_dir, state) = configured("{}");
        fs::write(token_path(&state), text).unwrap();
        let error = prepare(&state, no_vars, false, &Broken).unwrap_err();
        assert!(error.to_string().ends_with("/gateway-token"), "{error}");
        assert!(error.advice().contains("remove it"), "{error}");
    }
    let (_dir, state) = configured("{ gateway: { auth: { token: '***' } } }");
    let error = prepare(&state, no_vars, false, &entropy()).unwrap_err();
    assert!(matches!(error, FreshError::Closed(_)), "{error}");
    assert!(!token_path(&state).exists());
}

#[test]
fn a_token_file_is_read_without_the_space_around_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    fs::write(&path, " hunter2\r\n").unwrap();
    assert_eq!(read_token(&path).unwrap().expose(), "hunter2");
    fs::write(&path, b"\xff").unwrap();
    let error = read_token(&path).unwrap_err();
    assert!(error.to_string().starts_with("cannot read "), "{error}");
    assert!(
        read_token(&dir.path().join("gone"))
            .unwrap_err()
            .advice()
            .contains("there")
    );
}

#[test]
fn what_is_broken_is_told_and_left_alone() {
    for (text, part) in [
        ("{", "cannot use"),
        (
            "{ gateway: { auth: { mode: 'password' } } }",
            "no password is set",
        ),
    ] {
        let (_dir, state) = configured(text);
        let error = prepare(&state, no_vars, false, &entropy()).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(!error.advice().is_empty());
        assert_eq!(fs::read_to_string(state.config()).unwrap(), text);
        assert_eq!(fs::read_dir(state.root()).unwrap().count(), 1);
    }
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::at(dir.path());
    let error = prepare(&state, no_vars, false, &Broken).unwrap_err();
    assert!(matches!(error, FreshError::Entropy(_)), "{error}");
    // A link that leads nowhere is a mistake, and not made good by writing through it.
    std::os::unix::fs::symlink(dir.path().join("gone"), state.config()).unwrap();
    assert!(prepare(&state, no_vars, false, &entropy()).is_err());
    assert!(!dir.path().join("gone").exists());
}
