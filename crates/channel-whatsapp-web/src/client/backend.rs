//! The store, as the library asks for it.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::params;
use serde::Serialize;
use serde::de::DeserializeOwned;
use whatsapp_rust::async_trait;
use whatsapp_rust::bytes::Bytes;
use whatsapp_rust::traits::{
    AppStateSyncKey, AppSyncStore, DeviceListRecord, DeviceStore, LidPnMappingEntry,
    MsgSecretEntry, MsgSecretStore, ProtocolStore, SignalStore, TcTokenEntry,
    merge_msg_secret_expiry, merge_msg_secret_message_ts,
};
use whatsapp_rust::wacore::appstate::hash::HashState;
use whatsapp_rust::wacore::appstate::processor::AppStateMutationMAC;
use whatsapp_rust::wacore::store::Device;
use whatsapp_rust::wacore::store::error::{Result, StoreError};

use super::store::{KeysError, Kind, Row, Store, put};

/// How many rows are kept of what strangers can add to. The keys of a device that was forgotten are negotiated anew when it
/// writes again.
const PEOPLE: u32 = 65_536;

const IDENTITY: Kind = Kind::at_most("identity", PEOPLE);
const SESSION: Kind = Kind::at_most("session", PEOPLE);
const PREKEY: Kind = Kind::all("prekey");
const SIGNED_PREKEY: Kind = Kind::all("signed-prekey");
const SENDER_KEY: Kind = Kind::at_most("sender-key", PEOPLE);
const SYNC_KEY: Kind = Kind::all("sync-key");
const SYNC_VERSION: Kind = Kind::all("sync-version");
const SYNC_MAC: Kind = Kind::all("sync-mac");
const SENDER_KEY_DEVICE: Kind = Kind::at_most("sender-key-device", PEOPLE);
const LID: Kind = Kind::at_most("lid", PEOPLE);
const NUMBER: Kind = Kind::at_most("number", PEOPLE);
const BASE_KEY: Kind = Kind::at_most("base-key", 4096);
const DEVICES: Kind = Kind::at_most("devices", PEOPLE);
const GROUP: Kind = Kind::at_most("group", 4096);
const TOKEN: Kind = Kind::at_most("token", 16_384);
const SENT: Kind = Kind::at_most("sent", 4096);
const PENDING: Kind = Kind::at_most("pending", 4096);
const SECRET: Kind = Kind::at_most("secret", 16_384);
const DEVICE: Kind = Kind::all("device");

/// The name of what there is one of.
const ONE: &str = "";

impl From<KeysError> for StoreError {
    fn from(error: KeysError) -> Self {
        Self::Database(Box::new(error))
    }
}

fn number(id: u32) -> String {
    // In the order of the numbers.
    format!("{id:010}")
}

/// A name of several parts: no two of them can be taken for others.
fn name(parts: &[&str]) -> String {
    // Texts always serialise.
    serde_json::to_string(parts).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| KeysError::Value(error).into())
}

fn parsed<T: DeserializeOwned>(row: &Row) -> Result<T> {
    serde_json::from_slice(&row.value).map_err(|error| KeysError::Value(error).into())
}

fn count(deleted: usize) -> u32 {
    u32::try_from(deleted).unwrap_or(u32::MAX)
}

impl Store {
    async fn value(&self, kind: Kind, area: &str, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.get(kind, area, name).await?.map(|row| row.value))
    }

    async fn parsed<T: DeserializeOwned>(&self, kind: Kind, name: &str) -> Result<Option<T>> {
        self.get(kind, ONE, name)
            .await?
            .map(|row| parsed(&row))
            .transpose()
    }

    async fn forget(&self, kind: Kind, area: &str, name: &str) -> Result<()> {
        self.delete(kind, area, vec![name.to_owned()]).await?;
        Ok(())
    }

    fn now(&self) -> i64 {
        self.clock.now().as_millis() / 1000
    }
}

#[async_trait]
impl SignalStore for Store {
    async fn put_identity(&self, address: &str, key: [u8; 32]) -> Result<()> {
        Ok(self.put_one(IDENTITY, ONE, address, key).await?)
    }

    async fn put_identities_batch(&self, identities: &[(Arc<str>, [u8; 32])]) -> Result<()> {
        let rows = identities
            .iter()
            .map(|(address, key)| Row::new(ONE, address, *key));
        Ok(self.put(IDENTITY, rows.collect()).await?)
    }

    async fn load_identity(&self, address: &str) -> Result<Option<[u8; 32]>> {
        let key = self.value(IDENTITY, ONE, address).await?;
        let key = key.map(|key| <[u8; 32]>::try_from(key.as_slice()));
        key.transpose()
            .map_err(|_| StoreError::Validation("an identity has another length".to_owned()))
    }

    async fn delete_identity(&self, address: &str) -> Result<()> {
        self.forget(IDENTITY, ONE, address).await
    }

    async fn get_session(&self, address: &str) -> Result<Option<Bytes>> {
        Ok(self.value(SESSION, ONE, address).await?.map(Bytes::from))
    }

    async fn put_session(&self, address: &str, session: &[u8]) -> Result<()> {
        Ok(self.put_one(SESSION, ONE, address, session).await?)
    }

    async fn put_sessions_batch(&self, sessions: &[(Arc<str>, Bytes)]) -> Result<()> {
        let rows = sessions
            .iter()
            .map(|(address, session)| Row::new(ONE, address, session.to_vec()));
        Ok(self.put(SESSION, rows.collect()).await?)
    }

    async fn delete_session(&self, address: &str) -> Result<()> {
        self.forget(SESSION, ONE, address).await
    }

    async fn has_signal_state_for_user(&self, user: &str) -> Result<bool> {
        let user = user.to_owned();
        let found = self.work(move |db| {
            let sql = "SELECT EXISTS (SELECT 1 FROM key WHERE kind IN ('session', 'identity')
                       AND substr(name, 1, length(?1) + 1) IN (?1 || '@', ?1 || ':'))";
            db.query_row(sql, params![user], |row| row.get(0))
        });
        Ok(found.await?)
    }

    async fn store_prekey(&self, id: u32, record: &[u8], _uploaded: bool) -> Result<()> {
        Ok(self.put_one(PREKEY, ONE, &number(id), record).await?)
    }

    async fn store_prekeys_batch(&self, keys: &[(u32, Bytes)], _uploaded: bool) -> Result<()> {
        let rows = keys
            .iter()
            .map(|(id, record)| Row::new(ONE, &number(*id), record.to_vec()));
        Ok(self.put(PREKEY, rows.collect()).await?)
    }

    async fn load_prekey(&self, id: u32) -> Result<Option<Bytes>> {
        Ok(self.value(PREKEY, ONE, &number(id)).await?.map(Bytes::from))
    }

    async fn load_prekeys_batch(&self, ids: &[u32]) -> Result<Vec<(u32, Bytes)>> {
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(record) = self.load_prekey(*id).await? {
                found.push((*id, record));
            }
        }
        Ok(found)
    }

    async fn mark_prekeys_uploaded(&self, _ids: &[u32]) -> Result<()> {
        // Which are uploaded, the device knows by its watermark.
        Ok(())
    }

    async fn remove_prekey(&self, id: u32) -> Result<()> {
        self.forget(PREKEY, ONE, &number(id)).await
    }

    async fn get_max_prekey_id(&self) -> Result<u32> {
        let all = self.all(PREKEY, ONE).await?;
        Ok(all
            .last()
            .and_then(|row| row.name.parse().ok())
            .unwrap_or(0))
    }

    async fn store_signed_prekey(&self, id: u32, record: &[u8]) -> Result<()> {
        Ok(self
            .put_one(SIGNED_PREKEY, ONE, &number(id), record)
            .await?)
    }

    async fn load_signed_prekey(&self, id: u32) -> Result<Option<Vec<u8>>> {
        self.value(SIGNED_PREKEY, ONE, &number(id)).await
    }

    async fn load_all_signed_prekeys(&self) -> Result<Vec<(u32, Vec<u8>)>> {
        let all = self.all(SIGNED_PREKEY, ONE).await?.into_iter();
        Ok(all
            .filter_map(|row| Some((row.name.parse().ok()?, row.value)))
            .collect())
    }

    async fn remove_signed_prekey(&self, id: u32) -> Result<()> {
        self.forget(SIGNED_PREKEY, ONE, &number(id)).await
    }

    async fn put_sender_key(&self, address: &str, record: &[u8]) -> Result<()> {
        Ok(self.put_one(SENDER_KEY, ONE, address, record).await?)
    }

    async fn put_sender_keys_batch(&self, keys: &[(Arc<str>, Bytes)]) -> Result<()> {
        let rows = keys
            .iter()
            .map(|(address, record)| Row::new(ONE, address, record.to_vec()));
        Ok(self.put(SENDER_KEY, rows.collect()).await?)
    }

    async fn get_sender_key(&self, address: &str) -> Result<Option<Vec<u8>>> {
        self.value(SENDER_KEY, ONE, address).await
    }

    async fn delete_sender_key(&self, address: &str) -> Result<()> {
        self.forget(SENDER_KEY, ONE, address).await
    }
}

#[async_trait]
impl AppSyncStore for Store {
    async fn get_sync_key(&self, key_id: &[u8]) -> Result<Option<AppStateSyncKey>> {
        self.parsed(SYNC_KEY, &hex(key_id)).await
    }

    async fn set_sync_key(&self, key_id: &[u8], key: AppStateSyncKey) -> Result<()> {
        let rows = vec![
            Row::new(ONE, &hex(key_id), json(&key)?),
            Row::new("latest", ONE, hex(key_id)),
        ];
        Ok(self.put(SYNC_KEY, rows).await?)
    }

    async fn get_version(&self, name: &str) -> Result<HashState> {
        Ok(self.parsed(SYNC_VERSION, name).await?.unwrap_or_default())
    }

    async fn set_version(&self, name: &str, state: HashState) -> Result<()> {
        Ok(self.put_one(SYNC_VERSION, ONE, name, json(&state)?).await?)
    }

    async fn put_mutation_macs(
        &self,
        name: &str,
        _version: u64,
        mutations: &[AppStateMutationMAC],
    ) -> Result<()> {
        let rows = mutations
            .iter()
            .map(|mac| Row::new(name, &hex(&mac.index_mac), mac.value_mac.clone()));
        Ok(self.put(SYNC_MAC, rows.collect()).await?)
    }

    async fn get_mutation_mac(&self, name: &str, index_mac: &[u8]) -> Result<Option<Vec<u8>>> {
        self.value(SYNC_MAC, name, &hex(index_mac)).await
    }

    async fn get_mutation_macs(
        &self,
        name: &str,
        index_macs: &[[u8; 32]],
    ) -> Result<HashMap<[u8; 32], Vec<u8>>> {
        let mut found = HashMap::with_capacity(index_macs.len());
        for index in index_macs {
            if let Some(value) = self.get_mutation_mac(name, index).await? {
                found.insert(*index, value);
            }
        }
        Ok(found)
    }

    async fn delete_mutation_macs(&self, name: &str, index_macs: &[Vec<u8>]) -> Result<()> {
        let names = index_macs.iter().map(|mac| hex(mac)).collect();
        self.delete(SYNC_MAC, name, names).await?;
        Ok(())
    }

    async fn clear_mutation_macs(&self, name: &str) -> Result<()> {
        self.delete_where(SYNC_MAC, "area = ?2", name.to_owned())
            .await?;
        Ok(())
    }

    async fn get_latest_sync_key_id(&self) -> Result<Option<Vec<u8>>> {
        let latest = self.value(SYNC_KEY, "latest", ONE).await?;
        Ok(latest.and_then(|hex| unhex(&String::from_utf8(hex).ok()?)))
    }
}

#[async_trait]
impl ProtocolStore for Store {
    async fn get_sender_key_devices(&self, group_jid: &str) -> Result<Vec<(String, bool)>> {
        let all = self.all(SENDER_KEY_DEVICE, group_jid).await?.into_iter();
        Ok(all.map(|row| (row.name, row.value == [1])).collect())
    }

    async fn set_sender_key_status(&self, group_jid: &str, entries: &[(&str, bool)]) -> Result<()> {
        let rows = entries
            .iter()
            .map(|(device, has)| Row::new(group_jid, device, [u8::from(*has)]));
        Ok(self.put(SENDER_KEY_DEVICE, rows.collect()).await?)
    }

    async fn clear_sender_key_devices(&self, group_jid: &str) -> Result<()> {
        self.delete_where(SENDER_KEY_DEVICE, "area = ?2", group_jid.to_owned())
            .await?;
        Ok(())
    }

    async fn delete_sender_key_device_rows(&self, device_jids: &[&str]) -> Result<()> {
        for device in device_jids {
            self.delete_where(SENDER_KEY_DEVICE, "name = ?2", (*device).to_owned())
                .await?;
        }
        Ok(())
    }

    async fn clear_all_sender_key_devices(&self) -> Result<()> {
        self.delete_where(SENDER_KEY_DEVICE, "?2", true).await?;
        Ok(())
    }

    async fn get_lid_mapping(&self, lid: &str) -> Result<Option<LidPnMappingEntry>> {
        self.parsed(LID, lid).await
    }

    async fn get_pn_mapping(&self, phone: &str) -> Result<Option<LidPnMappingEntry>> {
        let Some(lid) = self.value(NUMBER, ONE, phone).await? else {
            return Ok(None);
        };
        self.get_lid_mapping(&String::from_utf8_lossy(&lid)).await
    }

    async fn put_lid_mapping(&self, entry: &LidPnMappingEntry) -> Result<()> {
        self.put_lid_mappings(std::slice::from_ref(entry)).await
    }

    async fn put_lid_mappings(&self, entries: &[LidPnMappingEntry]) -> Result<()> {
        let mut rows = Vec::new();
        for entry in entries {
            let lid = Row::new(ONE, &entry.lid, json(entry)?);
            let phone = Row::new(ONE, &entry.phone_number, entry.lid.as_bytes());
            rows.push((lid, phone));
        }
        let written = self.work(move |db| {
            for (lid, phone) in rows {
                // The number that this person had before is theirs no more.
                db.execute(
                    "DELETE FROM key WHERE kind = 'number' AND value = ?1 AND name <> ?2",
                    params![phone.value, phone.name],
                )?;
                put(db, LID, &[lid])?;
                put(db, NUMBER, &[phone])?;
            }
            Ok(())
        });
        Ok(written.await?)
    }

    async fn get_all_lid_mappings(&self) -> Result<Vec<LidPnMappingEntry>> {
        self.all(LID, ONE).await?.iter().map(parsed).collect()
    }

    async fn save_base_key(&self, address: &str, message_id: &str, base_key: &[u8]) -> Result<()> {
        Ok(self
            .put_one(BASE_KEY, ONE, &name(&[address, message_id]), base_key)
            .await?)
    }

    async fn has_same_base_key(
        &self,
        address: &str,
        message_id: &str,
        current_base_key: &[u8],
    ) -> Result<bool> {
        let known = self
            .value(BASE_KEY, ONE, &name(&[address, message_id]))
            .await?;
        Ok(known.is_some_and(|known| known == current_base_key))
    }

    async fn delete_base_key(&self, address: &str, message_id: &str) -> Result<()> {
        self.forget(BASE_KEY, ONE, &name(&[address, message_id]))
            .await
    }

    async fn update_device_list(&self, record: DeviceListRecord) -> Result<()> {
        self.update_device_lists(vec![record]).await
    }

    async fn update_device_lists(&self, records: Vec<DeviceListRecord>) -> Result<()> {
        let rows = records
            .iter()
            .map(|record| Ok(Row::new(ONE, &record.user, json(record)?)));
        Ok(self.put(DEVICES, rows.collect::<Result<_>>()?).await?)
    }

    async fn get_devices(&self, user: &str) -> Result<Option<DeviceListRecord>> {
        self.parsed(DEVICES, user).await
    }

    async fn delete_devices(&self, user: &str) -> Result<()> {
        self.forget(DEVICES, ONE, user).await
    }

    async fn get_group_metadata(&self, group_jid: &str) -> Result<Option<Vec<u8>>> {
        self.value(GROUP, ONE, group_jid).await
    }

    async fn put_group_metadata(&self, group_jid: &str, blob: &[u8]) -> Result<()> {
        Ok(self.put_one(GROUP, ONE, group_jid, blob).await?)
    }

    async fn delete_group_metadata(&self, group_jid: &str) -> Result<()> {
        self.forget(GROUP, ONE, group_jid).await
    }

    async fn get_tc_token(&self, jid: &str) -> Result<Option<TcTokenEntry>> {
        self.parsed(TOKEN, jid).await
    }

    async fn put_tc_token(&self, jid: &str, entry: &TcTokenEntry) -> Result<()> {
        Ok(self.put_one(TOKEN, ONE, jid, json(entry)?).await?)
    }

    async fn delete_tc_token(&self, jid: &str) -> Result<()> {
        self.forget(TOKEN, ONE, jid).await
    }

    async fn get_all_tc_token_jids(&self) -> Result<Vec<String>> {
        let all = self.all(TOKEN, ONE).await?.into_iter();
        Ok(all.map(|row| row.name).collect())
    }

    async fn delete_expired_tc_tokens(&self, token_cutoff: i64, sender_cutoff: i64) -> Result<u32> {
        let mut expired = Vec::new();
        for row in self.all(TOKEN, ONE).await? {
            let entry: TcTokenEntry = parsed(&row)?;
            let has_token = !entry.token.is_empty() && entry.token_timestamp >= token_cutoff;
            let has_sent = entry.sender_timestamp.is_some_and(|at| at >= sender_cutoff);
            if !has_token && !has_sent {
                expired.push(row.name);
            }
        }
        Ok(count(self.delete(TOKEN, ONE, expired).await?))
    }

    async fn store_sent_message(
        &self,
        chat_jid: &str,
        message_id: &str,
        payload: &[u8],
    ) -> Result<()> {
        let row = Row::new(chat_jid, message_id, payload).at(self.now());
        Ok(self.put(SENT, vec![row]).await?)
    }

    async fn take_sent_message(&self, chat_jid: &str, message_id: &str) -> Result<Option<Vec<u8>>> {
        let found = self.value(SENT, chat_jid, message_id).await?;
        if found.is_some() {
            self.forget(SENT, chat_jid, message_id).await?;
        }
        Ok(found)
    }

    async fn delete_expired_sent_messages(&self, cutoff_timestamp: i64) -> Result<u32> {
        Ok(count(
            self.delete_where(SENT, "at < ?2", cutoff_timestamp).await?,
        ))
    }

    async fn store_pending_inbound(
        &self,
        chat: &str,
        sender: &str,
        id: &str,
        message: &[u8],
    ) -> Result<()> {
        let row = Row::new(ONE, &name(&[chat, sender, id]), message).at(self.now());
        Ok(self.put(PENDING, vec![row]).await?)
    }

    async fn get_pending_inbound(
        &self,
        chat: &str,
        sender: &str,
        id: &str,
    ) -> Result<Option<Vec<u8>>> {
        self.value(PENDING, ONE, &name(&[chat, sender, id])).await
    }

    async fn delete_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<()> {
        self.forget(PENDING, ONE, &name(&[chat, sender, id])).await
    }

    async fn delete_expired_pending_inbound(&self, cutoff_timestamp: i64) -> Result<u32> {
        Ok(count(
            self.delete_where(PENDING, "at < ?2", cutoff_timestamp)
                .await?,
        ))
    }
}

#[async_trait]
impl MsgSecretStore for Store {
    async fn put_msg_secrets(&self, entries: Vec<MsgSecretEntry>) -> Result<usize> {
        let stored = entries.len();
        let mut rows = Vec::with_capacity(stored);
        for entry in entries {
            let name = name(&[&entry.chat, &entry.sender, &entry.msg_id]);
            let (mut sent, mut expires) = (entry.message_ts, entry.expires_at);
            if let Some(known) = self.get(SECRET, ONE, &name).await? {
                let (_, before): (Vec<u8>, i64) = parsed(&known)?;
                sent = merge_msg_secret_message_ts(before, sent);
                expires = merge_msg_secret_expiry(known.at, expires);
            }
            rows.push(Row::new(ONE, &name, json(&(entry.secret.to_vec(), sent))?).at(expires));
        }
        self.put(SECRET, rows).await?;
        Ok(stored)
    }

    async fn get_msg_secret(
        &self,
        chat: &str,
        sender: &str,
        msg_id: &str,
    ) -> Result<Option<Vec<u8>>> {
        let found = self.get_msg_secret_with_ts(chat, sender, msg_id).await?;
        Ok(found.map(|(secret, _)| secret))
    }

    async fn get_msg_secret_with_ts(
        &self,
        chat: &str,
        sender: &str,
        msg_id: &str,
    ) -> Result<Option<(Vec<u8>, i64)>> {
        self.parsed(SECRET, &name(&[chat, sender, msg_id])).await
    }

    async fn delete_expired_msg_secrets(&self, cutoff_timestamp: i64) -> Result<u32> {
        let expired = self.delete_where(SECRET, "at <> 0 AND at <= ?2", cutoff_timestamp);
        Ok(count(expired.await?))
    }
}

#[async_trait]
impl DeviceStore for Store {
    async fn save(&self, device: &Device) -> Result<()> {
        Ok(self.put_one(DEVICE, ONE, ONE, json(device)?).await?)
    }

    async fn load(&self) -> Result<Option<Device>> {
        self.parsed(DEVICE, ONE).await
    }

    async fn exists(&self) -> Result<bool> {
        Ok(self.get(DEVICE, ONE, ONE).await?.is_some())
    }

    async fn create(&self) -> Result<i32> {
        if !self.exists().await? {
            self.save(&Device::new()).await?;
        }
        Ok(1)
    }
}

/// The number of the account whose keys these are; `None` if it is not linked.
pub(crate) async fn linked_as(store: &Store) -> std::result::Result<Option<String>, KeysError> {
    let Some(row) = store.get(DEVICE, ONE, ONE).await? else {
        return Ok(None);
    };
    let device: Device = serde_json::from_slice(&row.value).map_err(KeysError::Value)?;
    Ok(device.pn.map(|jid| format!("+{}", jid.user)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use pairing_core::{ManualClock, Timestamp};
    use whatsapp_rust::Jid;
    use whatsapp_rust::traits::MsgSecretEntry;

    use super::super::store::Keys;
    use super::*;

    fn open(dir: &std::path::Path) -> std::result::Result<Keys, KeysError> {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_795_000_000_000)));
        Store::open(dir, clock).map(Keys::new)
    }

    #[tokio::test]
    async fn keys_are_there_after_a_restart_and_are_their_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("credentials/whatsapp/default");
        let keys = open(&dir).unwrap();
        assert_eq!(linked_as(keys.store()).await.unwrap(), None);
        let store = keys.store();
        assert_eq!(store.create().await.unwrap(), 1);
        let mut device = store.load().await.unwrap().unwrap();
        device.pn = Some(Jid::pn_device("15559990000", 7));
        device.props_hash = Some("p".to_owned());
        store.save(&device).await.unwrap();
        store.create().await.unwrap();
        store
            .put_session("15550001111@s.whatsapp.net", b"one")
            .await
            .unwrap();
        store
            .store_prekeys_batch(
                &[
                    (2, Bytes::from_static(b"b")),
                    (10, Bytes::from_static(b"c")),
                ],
                true,
            )
            .await
            .unwrap();
        store
            .put_identity("15550001111:3@lid", [7; 32])
            .await
            .unwrap();
        // Nobody else can use them meanwhile.
        let mode =
            |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for entry in std::fs::read_dir(&dir).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
        assert_eq!(mode(&dir), 0o700);
        let left = store.clone();
        drop(keys);
        assert!(left.load().await.is_err());
        let keys = open(&dir).unwrap();
        let store = keys.store();
        assert_eq!(
            linked_as(store).await.unwrap().as_deref(),
            Some("+15559990000")
        );
        let again = store.load().await.unwrap().unwrap();
        assert_eq!(
            again.identity_key.public_key,
            device.identity_key.public_key
        );
        assert_eq!((again.pn, again.props_hash), (device.pn, device.props_hash));
        assert_eq!(
            store
                .get_session("15550001111@s.whatsapp.net")
                .await
                .unwrap()
                .unwrap(),
            "one"
        );
        assert_eq!(store.get_max_prekey_id().await.unwrap(), 10);
        assert_eq!(
            store.load_prekeys_batch(&[1, 2]).await.unwrap(),
            [(2, Bytes::from_static(b"b"))]
        );
        for (user, has) in [("15550001111", true), ("1555000111", false)] {
            assert_eq!(
                store.has_signal_state_for_user(user).await.unwrap(),
                has,
                "{user}"
            );
        }
        store.clear().await.unwrap();
        assert!(!store.exists().await.unwrap() && linked_as(store).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_number_that_moved_is_another_persons_and_a_flood_takes_no_more_room() {
        let dir = tempfile::tempdir().unwrap();
        let keys = open(dir.path()).unwrap();
        let store = keys.store();
        let told = |lid: &str, phone: &str| LidPnMappingEntry {
            lid: lid.to_owned(),
            phone_number: phone.to_owned(),
            created_at: 1,
            updated_at: 1,
            learning_source: "usync".to_owned(),
        };
        store
            .put_lid_mapping(&told("1", "15550001111"))
            .await
            .unwrap();
        store
            .put_lid_mapping(&told("1", "15550002222"))
            .await
            .unwrap();
        assert!(store.get_pn_mapping("15550001111").await.unwrap().is_none());
        assert_eq!(
            store
                .get_pn_mapping("15550002222")
                .await
                .unwrap()
                .unwrap()
                .lid,
            "1"
        );
        store
            .put_lid_mapping(&told("2", "15550002222"))
            .await
            .unwrap();
        assert_eq!(
            store
                .get_pn_mapping("15550002222")
                .await
                .unwrap()
                .unwrap()
                .lid,
            "2"
        );
        assert_eq!(store.get_all_lid_mappings().await.unwrap().len(), 2);
        let flood = (0..5000).map(|i| Row::new(ONE, &i.to_string(), [0]));
        store.put(BASE_KEY, flood.collect()).await.unwrap();
        let kept = store.all(BASE_KEY, ONE).await.unwrap();
        assert!(
            kept.len() == 4096
                && kept
                    .iter()
                    .all(|row| row.name.parse::<u32>().unwrap() >= 904)
        );
    }

    #[tokio::test]
    async fn what_expires_is_forgotten_and_names_of_several_parts_do_not_meet() {
        let dir = tempfile::tempdir().unwrap();
        let keys = open(dir.path()).unwrap();
        let store = keys.store();
        let secret = |id: &str, expires_at| MsgSecretEntry {
            chat: "c".into(),
            sender: "s".into(),
            msg_id: id.into(),
            secret: [1; 32],
            expires_at,
            message_ts: 5,
        };
        store
            .put_msg_secrets(vec![secret("a", 10), secret("b", 0), secret("c", 10)])
            .await
            .unwrap();
        // A longer time counts, and a shorter one does not.
        store
            .put_msg_secrets(vec![secret("c", 30), secret("b", 1)])
            .await
            .unwrap();
        assert_eq!(store.delete_expired_msg_secrets(20).await.unwrap(), 1);
        assert_eq!(
            store.get_msg_secret_with_ts("c", "s", "c").await.unwrap(),
            Some((vec![1; 32], 5))
        );
        store.save_base_key("a\",\"b", "c", b"1").await.unwrap();
        assert!(!store.has_same_base_key("a", "b\",\"c", b"1").await.unwrap());
        store.store_sent_message("c", "1", b"x").await.unwrap();
        assert_eq!(
            store.take_sent_message("c", "1").await.unwrap().unwrap(),
            b"x"
        );
        assert_eq!(store.take_sent_message("c", "1").await.unwrap(), None);
        store
            .set_sync_key(&[1, 255], AppStateSyncKey::default())
            .await
            .unwrap();
        assert_eq!(
            store.get_latest_sync_key_id().await.unwrap(),
            Some(vec![1, 255])
        );
        let state = HashState {
            version: 3,
            ..HashState::default()
        };
        store.set_version("regular", state).await.unwrap();
        assert_eq!(store.get_version("regular").await.unwrap().version, 3);
    }
}
