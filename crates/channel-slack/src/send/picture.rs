//! Pictures, in three steps: a place is asked for, the bytes are put there, and the whole is shared in the chat.

use channel_kit::http::Body;
use serde::Deserialize;
use serde_json::json;

use super::Place;
use crate::Slack;
use crate::api::{self, Call, CallError};
use crate::id::Id;
use crate::names::FORM;

/// Sends a picture with words, which are escaped already. Gives the id of the file.
pub(super) async fn send(
    bot: &Slack,
    place: &Place,
    png: &[u8],
    words: Option<&str>,
) -> Result<Id, CallError> {
    #[derive(Deserialize)]
    struct Prepared {
        upload_url: String,
        file_id: Id,
    }
    const PREPARE: &str = "files.getUploadURLExternal";
    const COMPLETE: Call = Call::new("files.completeUploadExternal");
    // A place that is asked for twice is used once.
    let prepare = Call::new(PREPARE).repeatable();
    // This one takes no JSON.
    let params = || Body {
        content_type: FORM.to_owned(),
        bytes: format!("filename=picture.png&length={}", png.len()).into_bytes(),
    };
    let prepared = bot
        .api
        .patient_with(prepare, params, &bot.pace, &bot.entropy)
        .await?;
    let prepared: Prepared = api::read(&prepared, PREPARE)?;
    bot.api
        .upload(&prepared.upload_url, png.to_vec(), bot.pace.call)
        .await?;
    let mut params = json!({
        "files": [{ "id": prepared.file_id.as_str(), "title": "picture" }],
        "channel_id": place.chat.as_str(),
    });
    if let Some(words) = words {
        params["initial_comment"] = words.into();
    }
    if let Some(thread) = &place.thread {
        params["thread_ts"] = thread.as_str().into();
    }
    bot.api
        .patient(COMPLETE, &params, &bot.pace, &bot.entropy)
        .await?;
    Ok(prepared.file_id)
}
