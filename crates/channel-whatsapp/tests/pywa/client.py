"""A business by pywa that does what it is told in messages, and prints what it notices, a line of JSON each.

Arguments: the address of the Graph API, the number's id, the token, the app's secret and the verify token.
"""

import json
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from pywa import WhatsApp, errors, types
from pywa.types import Button

ROOT, NUMBER, TOKEN, SECRET, VERIFY = sys.argv[1:]
printing = threading.Lock()


def say(**what):
    with printing:
        print(json.dumps(what), flush=True)


session = httpx.Client(trust_env=False)
business = WhatsApp(
    phone_id=NUMBER,
    token=TOKEN,
    session=session,
    server=object(),
    verify_token=VERIFY,
    app_secret=SECRET,
    validate_updates=True,
)
session.base_url = ROOT


@business.on_message
def heard(_: WhatsApp, message: types.Message):
    if message.caption:
        say(caption=message.caption)
        return
    person = message.from_user.wa_id
    say(heard=message.text, id=message.id.startswith("wamid."), name=message.from_user.name, type=message.type.value, **{"from": person})
    try:
        match message.text:
            case "ping":
                sent = business.send_message(to=f"+{person}", text="pong")
                say(sent=sent.id)
            case "buttons":
                buttons = [Button("Yes", callback_data="a:1"), Button("No", callback_data="r:1")]
                business.send_message(to=f"+{person}", text="well?", buttons=buttons)
            case "picture":
                picture = business.upload_media(media=bytes([1, 2, 3]), mime_type="image/png", filename="a.png")
                business.send_image(to=f"+{person}", image=picture, caption="look")
            case "reply":
                business.send_message(to=f"+{person}", text="to you", reply_to_message_id=message.id)
            case "stranger":
                business.send_message(to="+15550009999", text="who are you?")
            case "number":
                number = business.get_business_phone_number()
                say(number=number.display_phone_number, name=number.verified_name)
    except errors.WhatsAppError as error:
        say(refused=error.code, name=type(error).__name__)


@business.on_callback_button
def pressed(_: WhatsApp, press: types.CallbackButton):
    say(pressed=press.data, under=press.reply_to_message.message_id, **{"from": press.from_user.wa_id})


@business.on_message_status
def status(_: WhatsApp, status: types.MessageStatus):
    if status.error is not None:
        say(failed=status.error.code, message=status.id, to=status.from_user.wa_id)


class Webhook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, text, code):
        body = str(text).encode()
        self.send_response(code)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        if query.get("hub.mode") != "subscribe":
            return self.answer("Bad Request", 400)
        return self.answer(*business.webhook_challenge_handler(query.get("hub.verify_token"), query.get("hub.challenge")))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        refused = business.webhook_update_validator(body, self.headers["x-hub-signature-256"])
        return self.answer(*(refused or business.webhook_update_handler(body)))

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
say(listening=f"http://127.0.0.1:{server.server_port}/")
server.serve_forever()
