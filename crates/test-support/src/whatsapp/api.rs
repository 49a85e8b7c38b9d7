//! What the calls do.

use serde_json::{Value, json};

use super::Sent;
use super::state::State;

/// An error of the Graph API.
pub(super) fn refusal(code: i64, text: &str) -> (u16, Value) {
    let status = match code {
        190 => 401,
        200..=299 => 403,
        1 | 2 | 131_000 | 131_016 => 500,
        _ => 400,
    };
    let error = json!({
        "message": format!("(#{code}) {text}"), "type": "OAuthException", "code": code,
        "error_data": { "messaging_product": "whatsapp", "details": text }, "fbtrace_id": "AxkYpqrYyyZ",
    });
    (status, json!({ "error": error }))
}

impl State {
    /// What is said of a number.
    pub(super) fn shown(&self, id: &str) -> (u16, Value) {
        let Some((_, shown)) = self.numbers.iter().find(|(known, _)| known == id) else {
            let text = format!(
                "Unsupported get request. Object with ID '{id}' does not exist, cannot be loaded due to missing \
                 permissions, or does not support this operation"
            );
            return refusal(100, &text);
        };
        let found = json!({
            "id": id, "display_phone_number": shown, "verified_name": "Ann's Assistant", "quality_rating": "GREEN",
            "code_verification_status": "VERIFIED", "platform_type": "CLOUD_API", "throughput": { "level": "STANDARD" },
        });
        (200, found)
    }

    /// Keeps a picture.
    pub(super) fn upload(&mut self, fields: &[(String, Vec<u8>)]) -> (u16, Value) {
        let field = |name: &str| fields.iter().find(|(known, _)| known == name);
        let has = |name: &str, value: &str| {
            field(name).is_some_and(|(_, found)| found == value.as_bytes())
        };
        let Some((_, file)) = field("file") else {
            return refusal(100, "file is required");
        };
        if !has("messaging_product", "whatsapp") {
            return refusal(100, "The parameter messaging_product is required.");
        }
        let id = self.id().replace("wamid.", "media").replace('=', "");
        self.media.insert(id.clone(), file.clone());
        (200, json!({ "id": id }))
    }

    /// Sends a message. Returns the answer, and the message.
    pub(super) fn send(&mut self, call: &Value) -> Result<(Value, Sent), (u16, Value)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if call["messaging_product"] != "whatsapp" {
            return Err(refusal(100, "The parameter messaging_product is required."));
        }
        let (input, kind) = (text(&call["to"]), text(&call["type"]));
        let is_group = call["recipient_type"] == "group";
        let to = if is_group || input.starts_with('+') {
            input.clone()
        } else {
            format!("+{input}")
        };
        let content = &call[&kind];
        let mut sent = Sent {
            id: String::new(),
            to,
            kind: kind.clone(),
            text: String::new(),
            buttons: Vec::new(),
            picture: None,
            reply_to: call["context"]["message_id"].as_str().map(str::to_owned),
        };
        let length = |text: &str, most: usize| (1..=most).contains(&text.chars().count());
        let is_sound = match kind.as_str() {
            "text" => {
                sent.text = text(&content["body"]);
                length(&sent.text, 4096)
            }
            "image" => {
                sent.text = text(&content["caption"]);
                sent.picture = self.media.get(&text(&content["id"])).cloned();
                sent.picture.is_some() && sent.text.chars().count() <= 1024
            }
            "interactive" => {
                sent.text = text(&content["body"]["text"]);
                let buttons = content["action"]["buttons"].as_array();
                let buttons = buttons.into_iter().flatten().map(|button| &button["reply"]);
                sent.buttons = buttons
                    .map(|reply| (text(&reply["title"]), text(&reply["id"])))
                    .collect();
                let mut ids: Vec<_> = sent.buttons.iter().map(|(_, id)| id).collect();
                ids.sort();
                ids.dedup();
                content["type"] == "button"
                    && length(&sent.text, 1024)
                    && (1..=3).contains(&sent.buttons.len())
                    && ids.len() == sent.buttons.len()
                    && sent
                        .buttons
                        .iter()
                        .all(|(title, id)| length(title, 20) && length(id, 256))
            }
            _ => false,
        };
        if !is_sound {
            return Err(refusal(100, "Invalid parameter"));
        }
        sent.id = self.id();
        let wa_id = sent.to.trim_start_matches('+');
        let contact = json!({ "input": input, "wa_id": wa_id, "user_id": super::user_id(wa_id) });
        let answer = json!({
            "messaging_product": "whatsapp", "contacts": [contact], "messages": [{ "id": sent.id }],
        });
        self.sent.push(sent.clone());
        self.unseen.push_back(sent.clone());
        Ok((answer, sent))
    }
}
