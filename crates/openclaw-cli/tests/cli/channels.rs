//! `openclaw channels`.

use crate::live::Live;
use crate::session::Session;

#[test]
fn channels_as_configured_and_as_they_run() {
    let mut session = Session::new();
    session.mask(r"--token-file \S+/token", "--token-file TOKEN");
    session.person("channels list");
    session.write_in(
        ".",
        "openclaw.json",
        "{ channels: {
             telegram: { dmPolicy: 'pairing', accounts: { work: { enabled: false }, home: {} } },
             discord: { dmPolicy: 'everybody' },
           } }",
    );
    session.person("channels list");
    session.pipe("channels list --json");
    let live = Live::on(&mut session);
    let named = live.named(&session);
    session.person(&format!("channels status {named}"));
    session.person(&format!("channels status --json {named}"));
    session.person(&format!("channels status --probe {named}"));
    drop(live);
    session.finish("channels");
}
