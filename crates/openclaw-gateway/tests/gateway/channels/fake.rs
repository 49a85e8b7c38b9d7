//! A chat system that is nothing but an adapter: what comes in is put in by the test, what goes out is
//! kept for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use channel_kit::{
    Abilities, Adapter, BoxFuture, Inbound, Inbox, Incoming, Linked, LoggedOut, Login, LoginError,
    LoginStep, LogoutError, MessageId, Outgoing, ProbeError, Probed, SendError, Status, Stop,
    Target, TextLimit,
};
use pairing_core::{AccountId, ChannelId, SenderId, Timestamp};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;

use crate::support::NEVER;

/// What sending comes to.
type Sending = dyn Fn(&Target) -> Result<(), SendError> + Send + Sync;

pub(crate) struct Fake {
    channel: ChannelId,
    account: AccountId,
    /// Where to put what comes in, while it runs.
    inbox: watch::Sender<Option<Inbox>>,
    sent: mpsc::UnboundedSender<(Target, String)>,
    received: tokio::sync::Mutex<mpsc::UnboundedReceiver<(Target, String)>>,
    count: AtomicUsize,
    pub(crate) runs: AtomicUsize,
    pub(crate) sending: Mutex<Box<Sending>>,
    /// Sending waits for this, if it is there.
    pub(crate) held: Mutex<Option<Arc<Notify>>>,
    /// Gives up at once.
    pub(crate) gives_up: bool,
    /// What asking the chat system comes to, and how often it was asked.
    pub(crate) probe: Mutex<Result<Probed, ProbeError>>,
    pub(crate) probes: AtomicUsize,
    /// What happens next while it is linked; it can be linked if this is there.
    pub(crate) logins: Option<tokio::sync::Mutex<mpsc::UnboundedReceiver<Linking>>>,
    /// What logging out comes to, the next time and after that.
    pub(crate) logouts: Mutex<VecDeque<Result<LoggedOut, LogoutError>>>,
    /// Logging out tells the first one that it has begun, and waits for the second one.
    pub(crate) leaving: Mutex<Option<[Arc<Notify>; 2]>>,
}

/// What happens while an account is linked.
pub(crate) enum Linking {
    Step(LoginStep),
    End(Result<Linked, LoginError>),
}

impl Fake {
    pub(crate) fn new(channel: &str, account: &str) -> Arc<Self> {
        Arc::new(Self::made(channel, account))
    }

    pub(crate) fn made(channel: &str, account: &str) -> Self {
        let (sent, received) = mpsc::unbounded_channel();
        Self {
            channel: ChannelId::parse(channel).unwrap(),
            account: AccountId::parse(account).unwrap(),
            inbox: watch::channel(None).0,
            sent,
            received: received.into(),
            count: AtomicUsize::new(0),
            runs: AtomicUsize::new(0),
            sending: Mutex::new(Box::new(|_| Ok(()))),
            held: Mutex::default(),
            gives_up: false,
            probe: Mutex::new(Err(ProbeError::Unable)),
            probes: AtomicUsize::new(0),
            logins: None,
            logouts: Mutex::default(),
            leaving: Mutex::default(),
        }
    }

    /// One that is linked as the test says.
    pub(crate) fn linked_by(
        channel: &str,
        account: &str,
    ) -> (Arc<Self>, mpsc::UnboundedSender<Linking>) {
        let (tell, told) = mpsc::unbounded_channel();
        let mut fake = Self::made(channel, account);
        fake.logins = Some(told.into());
        (Arc::new(fake), tell)
    }

    /// Puts something in once it runs.
    pub(crate) async fn put(&self, incoming: Incoming) {
        let mut inbox = self.inbox.subscribe();
        let waiting = inbox.wait_for(Option::is_some);
        let found = timeout(NEVER, waiting).await.unwrap().unwrap().clone();
        assert!(found.unwrap().put(incoming).await);
    }

    pub(crate) async fn says(&self, message: Inbound) {
        self.put(Incoming::Message(message)).await;
    }

    /// The next thing that was sent.
    pub(crate) async fn next(&self) -> (Target, String) {
        let mut received = self.received.lock().await;
        timeout(NEVER, received.recv()).await.unwrap().unwrap()
    }

    /// How much was sent in all.
    pub(crate) fn sent(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Waits until it has been started so often.
    pub(crate) async fn ran(&self, times: usize) {
        let running = async {
            while self.runs.load(Ordering::SeqCst) < times {
                tokio::task::yield_now().await;
            }
        };
        timeout(NEVER, running).await.unwrap();
    }

    /// Waits until it runs, or does not any more.
    pub(crate) async fn running(&self, is_running: bool) {
        let mut inbox = self.inbox.subscribe();
        let waiting = inbox.wait_for(|inbox| inbox.is_some() == is_running);
        timeout(NEVER, waiting).await.unwrap().unwrap();
    }
}

impl Adapter for Fake {
    fn channel(&self) -> &ChannelId {
        &self.channel
    }

    fn account(&self) -> &AccountId {
        &self.account
    }

    fn can(&self) -> Abilities {
        Abilities::default()
    }

    fn longest_text(&self) -> TextLimit {
        TextLimit::utf16(4096)
    }

    fn direct<'a>(&'a self, sender: &'a SenderId) -> BoxFuture<'a, Result<Target, SendError>> {
        Box::pin(async { Ok(Target::chat(sender.as_str())) })
    }

    fn status(&self) -> Status {
        Status::default()
    }

    fn probe(&self) -> BoxFuture<'_, Result<Probed, ProbeError>> {
        Box::pin(async {
            self.probes.fetch_add(1, Ordering::SeqCst);
            self.probe.lock().unwrap().clone()
        })
    }

    fn login(&self) -> Option<&dyn Login> {
        self.logins.is_some().then_some(self)
    }

    fn run(self: Arc<Self>, inbox: Inbox, mut stop: Stop) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.runs.fetch_add(1, Ordering::SeqCst);
            if self.gives_up {
                return;
            }
            self.inbox.send_replace(Some(inbox));
            stop.wait().await;
            self.inbox.send_replace(None);
        })
    }

    fn send<'a>(
        &'a self,
        to: &'a Target,
        what: &'a Outgoing,
    ) -> BoxFuture<'a, Result<MessageId, SendError>> {
        Box::pin(async move {
            let held = self.held.lock().unwrap().clone();
            if let Some(held) = held {
                held.notified().await;
            }
            (self.sending.lock().unwrap())(to)?;
            let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
            let _ = self.sent.send((to.clone(), what.text.clone()));
            Ok(MessageId(format!("m{number}")))
        })
    }

    fn delete<'a>(
        &'a self,
        _: &'a Target,
        _: &'a MessageId,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async { Err(SendError::Unable) })
    }

    fn replace<'a>(
        &'a self,
        _: &'a Target,
        _: &'a MessageId,
        _: &'a str,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async { Err(SendError::Unable) })
    }
}

impl Login for Fake {
    fn how(&self) -> &'static str {
        "on the phone: Settings, Devices"
    }

    fn link<'a>(
        &'a self,
        _: &'a str,
        tell: &'a (dyn Fn(LoginStep) + Send + Sync),
    ) -> BoxFuture<'a, Result<Linked, LoginError>> {
        Box::pin(async move {
            let mut told = self.logins.as_ref().unwrap().lock().await;
            loop {
                match told.recv().await {
                    Some(Linking::Step(step)) => tell(step),
                    Some(Linking::End(end)) => return end,
                    None => std::future::pending().await,
                }
            }
        })
    }

    fn log_out(&self) -> BoxFuture<'_, Result<LoggedOut, LogoutError>> {
        let next = self.logouts.lock().unwrap().pop_front();
        let leaving = self.leaving.lock().unwrap().take();
        Box::pin(async {
            if let Some([begun, go_on]) = leaving {
                begun.notify_one();
                go_on.notified().await;
            }
            next.expect("nobody expects it to be logged out")
        })
    }
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fake").finish_non_exhaustive()
    }
}

/// A direct message, in the chat that is named as the sender is.
pub(crate) fn direct(sender: &str, text: &str) -> Inbound {
    let mut message = Inbound::new(
        "1",
        sender,
        Target::chat(sender),
        Timestamp::from_millis(1_795_353_726_000),
    );
    message.is_direct = true;
    message.text = text.into();
    message.authenticated = true;
    message.meta = vec![("username".to_owned(), "zoe".to_owned())];
    message
}

/// The same in a group.
pub(crate) fn in_group(sender: &str, text: &str) -> Inbound {
    let mut message = direct(sender, text);
    message.is_direct = false;
    message.chat = Target::chat("-100").thread("7".to_owned());
    message
}

/// The same in another chat.
pub(crate) fn in_chat(chat: &str, mut message: Inbound) -> Inbound {
    message.chat = Target::chat(chat);
    message
}
