//! Encryption, certificates on both sides, and passwords.

use std::fs;
use std::path::Path;
use std::time::Duration;

use etcd_client::{Client, ConnectOptions};
use pairing_core::store::PageRequest;
use pairing_core::{PairingStore, Range, StoreError};
use pairing_etcd::{EtcdStore, Settings, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use zeroize::Zeroizing;

use crate::asking::run;
use crate::members::Members;
use crate::support::Bot;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// A certificate and its key.
    fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// A member that shows a certificate of `authority` and asks for one.
fn encrypted(authority: &Authority, dir: &Path) -> Members {
    let (certificate, key) = authority.certify("localhost");
    let files = [
        ("ca.pem", authority.pem()),
        ("cert.pem", certificate.into_bytes()),
        ("key.pem", key.into_bytes()),
    ];
    let paths = files.map(|(name, pem)| {
        let path = dir.join(name);
        fs::write(&path, pem).unwrap();
        path.display().to_string()
    });
    let [ca, certificate, key] = &paths;
    Members::start_with(
        1,
        "https",
        &[
            "--cert-file",
            certificate,
            "--key-file",
            key,
            "--trusted-ca-file",
            ca,
            "--client-cert-auth",
        ],
    )
}

fn works(settings: &Settings) {
    let bot = Bot::over(EtcdStore::open(settings).unwrap(), 1);
    bot.let_in("1001");
    assert!(bot.gate().is_allowed("1001").unwrap());
}

/// The error of a store that cannot get in, with its causes.
fn refused(settings: Settings) -> String {
    let settings = settings.patience(Duration::from_millis(300));
    let store = EtcdStore::direct(&settings).unwrap();
    let error = store
        .range(&Range::Devices, &PageRequest::first(1))
        .unwrap_err();
    let StoreError::Unreachable { source, .. } = &error else {
        panic!("{error:?}")
    };
    format!("{error}: {source}; {error:?}")
}

#[test]
fn both_sides_show_a_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let members = encrypted(&authority, dir.path());
    let (certificate, key) = authority.certify("gateway");
    let identity = Some((
        certificate.into_bytes(),
        Zeroizing::new(key.clone().into_bytes()),
    ));
    let tls = Tls {
        authorities: Some(authority.pem()),
        identity: identity.clone(),
        server_name: Some("localhost".to_owned()),
    };
    works(&members.settings().tls(tls.clone()));
    // One without, one that trusts somebody else, and one that expects another name are not let in.
    for tls in [
        Tls {
            identity: None,
            ..tls.clone()
        },
        Tls {
            authorities: Some(Authority::new().pem()),
            ..tls.clone()
        },
        Tls {
            server_name: Some("elsewhere".to_owned()),
            ..tls.clone()
        },
        Tls {
            authorities: None,
            ..tls
        },
    ] {
        let said = refused(members.settings().tls(tls));
        assert!(
            !said.contains("PRIVATE") && !said.contains(&key[40..80]),
            "{said}"
        );
    }
}

#[test]
fn t127_a_change_of_the_clusters_users_renews_the_login() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    fs::write(&key, "a key that both sides of the cluster know").unwrap();
    let tokens = format!("jwt,priv-key={},sign-method=HS256,ttl=60m", key.display());
    let members = Members::start_with(1, "http", &["--auth-token", &tokens]);
    run(async {
        let mut client = Client::connect(members.endpoints(), None).await.unwrap();
        client.user_add("root", "hidden-root", None).await.unwrap();
        client.user_grant_role("root", "root").await.unwrap();
        client.auth_enable().await.unwrap();
    });
    let password = Zeroizing::new("hidden-root".to_owned());
    let settings = members.settings().login("root", password);
    let (direct, followed) = (
        Bot::over(EtcdStore::direct(&settings).unwrap(), 1),
        Bot::over(EtcdStore::open(&settings).unwrap(), 2),
    );
    direct.let_in("1001");
    for (round, role) in ["one", "two"].into_iter().enumerate() {
        run(async {
            let login = ConnectOptions::new().with_user("root", "hidden-root");
            let admin = Client::connect(members.endpoints(), Some(login)).await;
            admin.unwrap().role_add(role).await.unwrap();
        });
        let sender = format!("200{round}");
        direct.let_in(&sender);
        // The other one is told of it, so its watch has been renewed as well.
        while !followed.gate().is_allowed(&sender).unwrap() {}
        followed.let_in(&format!("300{round}"));
    }
}

#[test]
fn a_password_is_asked_for_and_never_shown() {
    let members = Members::start(1);
    run(async {
        let mut client = Client::connect(members.endpoints(), None).await.unwrap();
        client.user_add("root", "hidden-root", None).await.unwrap();
        client.user_grant_role("root", "root").await.unwrap();
        client.auth_enable().await.unwrap();
    });
    let password = |text: &str| Zeroizing::new(text.to_owned());
    works(&members.settings().login("root", password("hidden-root")));
    let said = refused(members.settings().login("root", password("hidden-guess")));
    assert!(said.contains("authentication failed"), "{said}");
    assert!(!said.contains("hidden"), "{said}");
    let said = refused(members.settings());
    assert!(said.contains("user name is empty"), "{said}");
}

#[test]
fn installs_on_one_cluster_know_nothing_of_each_other() {
    let members = Members::start(1);
    let [one, other] = [members.settings(), members.settings()];
    let bot = Bot::over(EtcdStore::open(&one).unwrap(), 1);
    bot.let_in("1001");
    let stranger = Bot::over(EtcdStore::open(&other).unwrap(), 2);
    assert!(!stranger.gate().is_allowed("1001").unwrap());
}
