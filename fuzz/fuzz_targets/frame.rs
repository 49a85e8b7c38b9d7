//! Frames of either side: what is read says the same when it is written and read again.

use gateway_protocol::{Event, FrameError, Request, RequestFrame, Response, ServerFrame};

target!(|message: &[u8]| {
    match Request::parse(message) {
        Ok(request) => check_request(&request),
        Err(FrameError::NotRequest { id, .. }) => assert_ne!(id.as_deref(), Some("")),
        Err(_) => {}
    }
    if let Ok(frame) = ServerFrame::parse(message) {
        check_server_frame(&frame);
    }
});

fn check_request(request: &Request) {
    assert!(!request.id.is_empty() && !request.method.is_empty());
    let frame = RequestFrame {
        id: &request.id,
        method: &request.method,
        params: request.params.as_deref(),
    };
    let written = serde_json::to_vec(&frame).expect("JSON");
    let again = Request::parse(&written).expect("what we wrote");
    assert_eq!((&again.id, &again.method), (&request.id, &request.method));
    let text = |request: &Request| {
        request
            .params
            .as_ref()
            .map(|params| params.get().to_owned())
    };
    assert_eq!(text(&again), text(request));
}

fn check_server_frame(frame: &ServerFrame) {
    let Some(written) = written(frame) else {
        return;
    };
    let again = ServerFrame::parse(&written).expect("what we wrote");
    let twice = self::written(&again).expect("a known frame");
    // An error's details are values, and numbers are rounded once when they are read.
    if !matches!(frame, ServerFrame::Response { answer: Err(error), .. } if error.details.is_some())
    {
        assert_eq!(twice, written);
    }
}

fn written(frame: &ServerFrame) -> Option<Vec<u8>> {
    let written = match frame {
        ServerFrame::Response { id, answer } => {
            let answer = answer.as_ref().map(Option::as_deref);
            serde_json::to_vec(&match answer {
                Ok(payload) => Response {
                    id,
                    ok: true,
                    payload,
                    error: None,
                },
                Err(error) => Response::new(id, Err(error)),
            })
        }
        ServerFrame::Event {
            event,
            payload,
            seq,
        } => serde_json::to_vec(&Event {
            event,
            payload: payload.as_deref(),
            seq: *seq,
            state_version: None,
        }),
        _ => return None,
    };
    Some(written.expect("JSON"))
}
