//! The stage for tests of the gateway's page in a real browser: a gateway with its own files, and the other
//! parties that deal with it besides the browser.
//!
//! It reads one command per line (`{ "id", "do", … }`), carries out the commands one after the other, and
//! answers each on a line of its own (`{ "id", "ok", … }`). It exits at the end of its input.

mod bot;
mod clock;
mod command;
mod device;
mod elsewhere;
mod gateway;
mod picture;
mod seed;
mod stage;

use std::error::Error;
use std::io;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::runtime::Runtime;

use command::Request;
use stage::Stage;

/// Error type for failures that are only ever reported.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let runtime = Runtime::new()?;
    let served = runtime.block_on(serve());
    // Does not wait for a pending read of standard input or for a device's connection.
    runtime.shutdown_background();
    served
}

async fn serve() -> Result<(), Failure> {
    let mut stage = Stage::new()?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut out = tokio::io::stdout();
    while let Some(line) = next(&mut lines).await {
        let answer = match line {
            Ok(line) if line.trim().is_empty() => continue,
            Ok(line) => answer(&mut stage, &line).await,
            Err(error) => refused(&Value::Null, &error),
        };
        out.write_all(format!("{answer}\n").as_bytes()).await?;
        out.flush().await?;
    }
    stage.end().await;
    Ok(())
}

/// Returns the next line, if there is one; a line that is not valid text is reported like any other failure.
async fn next(
    lines: &mut tokio::io::Lines<BufReader<tokio::io::Stdin>>,
) -> Option<Result<String, io::Error>> {
    match lines.next_line().await {
        Ok(line) => line.map(Ok),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Some(Err(error)),
        Err(_) => None,
    }
}

async fn answer(stage: &mut Stage, line: &str) -> Value {
    let Request { id, command } = match Request::parse(line) {
        Ok(request) => request,
        Err((id, error)) => return refused(&id, &error),
    };
    match stage.perform(command).await {
        Ok(answer) => done(&id, answer),
        Err(error) => refused(&id, &*error),
    }
}

fn done(id: &Value, answer: Value) -> Value {
    let mut members = match answer {
        Value::Object(members) => members,
        Value::Null => Map::new(),
        other => Map::from_iter([("value".to_owned(), other)]),
    };
    members.insert("id".to_owned(), id.clone());
    members.insert("ok".to_owned(), Value::Bool(true));
    Value::Object(members)
}

fn refused(id: &Value, error: &(dyn Error + 'static)) -> Value {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    json!({ "id": id, "ok": false, "error": text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_name_their_request() {
        assert_eq!(
            done(&json!(7), json!({ "port": 1 })),
            json!({ "id": 7, "ok": true, "port": 1 })
        );
        assert_eq!(
            done(&json!("a"), Value::Null),
            json!({ "id": "a", "ok": true })
        );
    }

    #[test]
    fn errors_are_told_with_their_causes() {
        let cause = serde_json::from_str::<Value>("{").unwrap_err();
        let error = gateway_client::CallError::Params(cause);
        let told = refused(&Value::Null, &error);
        assert!(
            told["error"]
                .as_str()
                .is_some_and(|text| text.contains("EOF"))
        );
        assert_eq!(told["ok"], false);
    }

    #[tokio::test]
    async fn what_makes_no_sense_is_answered_too() {
        let mut stage = Stage::new().unwrap();
        for line in [
            "nonsense",
            "[]",
            r#"{"id":1,"do":"dance"}"#,
            r#"{"id":1,"do":"stop"}"#,
            r#"{"id":1,"do":"start","config":"{ gateway: 7 }"}"#,
            r#"{"id":1,"do":"alive","device":"nobody"}"#,
            r#"{"id":1,"do":"decode","path":"/nowhere.png"}"#,
            r#"{"id":1,"do":"approve","requestId":"none"}"#,
        ] {
            let told = answer(&mut stage, line).await;
            assert_eq!(told["ok"], false, "{line}: {told}");
            assert!(told["error"].is_string(), "{line}: {told}");
        }
    }
}
