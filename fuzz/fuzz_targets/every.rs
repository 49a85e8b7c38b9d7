//! All targets in one binary, because building and linking each by itself takes most of the time of a short run.
//! The environment variable `FUZZ_TARGET` names the one that runs.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

/// Makes `run` out of what a target does with its input, which is built from the bytes as `fuzz_target!` does it.
macro_rules! target {
    (|$input:ident: $kind:ty| $body:expr) => {
        pub fn run(bytes: &[u8]) {
            use libfuzzer_sys::arbitrary::{Arbitrary, Unstructured};
            if let Ok($input) = <$kind>::arbitrary_take_rest(Unstructured::new(bytes)) {
                take($input);
            }
        }

        fn take($input: $kind) {
            $body
        }
    };
}

/// Declares the module of each target, and the table of their names.
macro_rules! targets {
    ($($name:ident,)*) => {
        $(mod $name;)*

        const TARGETS: &[(&str, fn(&[u8]))] = &[$((stringify!($name), $name::run)),*];
    };
}

targets! {
    allow_file,
    audit_log,
    bluebubbles_webhook,
    channel_account,
    claims_file,
    code,
    config,
    connect_params,
    connection,
    counters_file,
    database_rows,
    device_requests_file,
    devices_file,
    discord_event,
    entry,
    escape,
    etcd_state,
    exported_state,
    feishu_event,
    frame,
    gateway_url,
    grants_file,
    imessage_output,
    node_requests_file,
    nodes_file,
    pair_command,
    pairing_tokens_file,
    peer,
    pem_key,
    requests,
    requests_file,
    setup_code,
    signal_stream,
    signed_payload,
    slack_envelope,
    state_dir,
    telegram_update,
    timestamp,
    whatsapp_web_message,
    whatsapp_webhook,
}

static CHOSEN: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    let Some((_, run)) = found else {
        let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        panic!(
            "FUZZ_TARGET is `{name}`, and not one of {}",
            names.join(", ")
        );
    };
    *run
});

fuzz_target!(|bytes: &[u8]| CHOSEN(bytes));
