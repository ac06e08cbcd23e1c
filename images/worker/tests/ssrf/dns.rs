//! A name server whose answers hold for no time and may differ from one question to the next.

use std::{
    collections::BTreeMap,
    mem,
    net::{IpAddr, UdpSocket},
    sync::{Arc, Mutex},
    thread,
};

use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, ResourceRecord, TYPE, rdata::RData};

use crate::namespace::NAME_SERVER;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    A,
    Aaaa,
}

/// A question, and how often this server was asked it before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) name: String,
    pub(crate) family: Family,
    pub(crate) earlier: usize,
}

/// Addresses of one family, or of both: those of the other one are not sent.
pub(crate) struct Answer {
    /// Another name that the addresses are those of.
    pub(crate) alias: Option<&'static str>,
    pub(crate) addresses: Vec<IpAddr>,
}

impl Answer {
    pub(crate) fn of(addresses: &[&str]) -> Self {
        Self { alias: None, addresses: addresses.iter().map(|address| address.parse().unwrap()).collect() }
    }
}

/// Notes what it is asked.
#[derive(Clone, Default)]
pub(crate) struct NameServer {
    asked: Arc<Mutex<Vec<Question>>>,
}

impl NameServer {
    pub(crate) fn start(mut zone: impl FnMut(&Question) -> Answer + Send + 'static) -> Self {
        let socket = UdpSocket::bind((NAME_SERVER, 53)).unwrap();
        let server = Self::default();
        let noted = server.asked.clone();
        thread::spawn(move || {
            let mut earlier = BTreeMap::new();
            let mut datagram = [0; 1 << 12];
            loop {
                let (length, sender) = socket.recv_from(&mut datagram).unwrap();
                let query = Packet::parse(&datagram[..length]).unwrap();
                let (name, family) = read_question(&query);
                let count: &mut usize = earlier.entry((name.clone(), family)).or_default();
                let question = Question { name, family, earlier: *count };
                *count += 1;
                let reply = build_reply(&query, family, zone(&question));
                noted.lock().unwrap().push(question);
                socket.send_to(&reply, sender).unwrap();
            }
        });
        server
    }

    /// What it was asked since this was called last.
    pub(crate) fn asked(&self) -> Vec<Question> {
        mem::take(&mut self.asked.lock().unwrap())
    }
}

fn read_question(query: &Packet<'_>) -> (String, Family) {
    let [question] = query.questions.as_slice() else { panic!("one question at a time: {query:?}") };
    let family = match question.qtype {
        QTYPE::TYPE(TYPE::A) => Family::A,
        QTYPE::TYPE(TYPE::AAAA) => Family::Aaaa,
        other => panic!("it asks for {other:?}"),
    };
    (question.qname.to_string().to_ascii_lowercase(), family)
}

fn build_reply(query: &Packet<'_>, family: Family, answer: Answer) -> Vec<u8> {
    let mut reply = Packet::new_reply(query.id());
    reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER | PacketFlag::RECURSION_AVAILABLE);
    if query.has_flags(PacketFlag::RECURSION_DESIRED) {
        reply.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    reply.questions.clone_from(&query.questions);
    let mut name = query.questions[0].qname.clone();
    if let Some(alias) = answer.alias {
        let alias = Name::new_unchecked(alias);
        reply.answers.push(ResourceRecord::new(name, CLASS::IN, 0, RData::CNAME(alias.clone().into())));
        name = alias;
    }
    for address in answer.addresses {
        let data = match (family, address) {
            (Family::A, IpAddr::V4(address)) => RData::A(address.into()),
            (Family::Aaaa, IpAddr::V6(address)) => RData::AAAA(address.into()),
            (Family::A, IpAddr::V6(_)) | (Family::Aaaa, IpAddr::V4(_)) => continue,
        };
        reply.answers.push(ResourceRecord::new(name.clone(), CLASS::IN, 0, data));
    }
    reply.build_bytes_vec().unwrap()
}
