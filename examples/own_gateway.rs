//! A gateway with a method of one's own: `bot.say`, for operators that may write.
//!
//! ```sh
//! cargo run -p examples --example own_gateway -- ./state
//! OPENCLAW_GATEWAY_TOKEN=… cargo run -p examples --example own_node -- ws://127.0.0.1:18789 ./node
//! ```

use std::error::Error;
use std::future::Future;
use std::io::Write;

use gateway_protocol::{DetailCode, ErrorShape};
use openclaw_gateway::{
    Access, Call, Gateway, Instance, Overrides, Reply, Settings, TokenPlace, prepare,
};
use pairing_core::Clock as _;
use pairing_fs::{StateDir, SystemClock, SystemEntropy};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;

/// The parameters of `bot.say`. What does not fit is refused by the name of the field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Say {
    text: String,
}

/// Whatever the bot does. Whoever calls it has been let in, and has the scope.
async fn say(call: Call) -> Reply {
    let Say { text } = call.params()?;
    if text.trim().is_empty() {
        return Err(ErrorShape::invalid(
            DetailCode::InvalidParams,
            "there is nothing to say",
        ));
    }
    // A real bot waits for its channel here.
    tokio::task::yield_now().await;
    call.reply(&json!({ "said": text }))
}

/// Serves a state directory on a socket until `shutdown`.
async fn run(
    state: &StateDir,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Box<dyn Error>> {
    // One gateway for each directory.
    let _instance = Instance::acquire(state, SystemClock.now())?;
    // On a fresh machine this makes the directory and a token.
    let prepared = prepare(state, |name| std::env::var_os(name), false, &SystemEntropy)?;
    let overrides = Overrides {
        kept: prepared.kept,
        ..Overrides::default()
    };
    let settings = Settings::from_config(&prepared.config, &overrides)?;
    if let TokenPlace::MadeInConfig(path) | TokenPlace::Made(path) = prepared.token {
        let path = path.display();
        writeln!(std::io::stdout(), "the token is in {path}")?;
    }
    let address = listener.local_addr()?;
    writeln!(std::io::stdout(), "listening on {address}")?;
    Gateway::builder(pairing_fs::open(state), settings)
        .listener(listener)
        .method("bot.say", Access::Operator("operator.write"), say)
        .shutdown(shutdown)
        .build()
        .run()
        .await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(state) = std::env::args().nth(1) else {
        return Err("usage: own_gateway <state-dir>".into());
    };
    let listener = TcpListener::bind("127.0.0.1:18789").await?;
    let interrupted = async {
        // Without signals it runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    run(&StateDir::at(state), listener, interrupted).await
}

#[cfg(test)]
mod tests {
    use gateway_client::{CallError, Connect};
    use gateway_protocol::GatewayUrl;
    use pairing_core::ScopeSet;
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn who_may_write_has_it_said() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        std::fs::write(
            state.config(),
            "{ gateway: { auth: { token: 'a-token' }, localAdmin: true } }",
        )
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let url = GatewayUrl::parse(&url).unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let client = async move {
            let token = || String::from("a-token").into();
            let connect = Connect::to(url.clone()).token(token());
            let (client, _events) = connect.scopes(ScopeSet::admin()).open().await.unwrap();
            let said: Value = client
                .call("bot.say", json!({ "text": "hi" }))
                .await
                .unwrap();
            assert_eq!(said, json!({ "said": "hi" }));
            let connect = Connect::to(url).token(token()).scopes(ScopeSet::default());
            let (reader, _events) = connect.open().await.unwrap();
            let said: Result<Value, _> = reader.call("bot.say", json!({ "text": "hi" })).await;
            let Err(CallError::Refused(error)) = said else {
                panic!("{said:?}")
            };
            assert_eq!(error.message, "missing scope: operator.write");
            stop.send(()).unwrap();
        };
        let gateway = run(&state, listener, async {
            let _ = stopped.await;
        });
        let (ran, ()) = tokio::join!(gateway, client);
        ran.unwrap();
    }
}
