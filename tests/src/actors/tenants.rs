//! Actors whose checks look at what their node has, and one that says how nodes are.

use super::Number;
use odeon::{
    Address, CapabilityView, ChildActorExited, Context, MemberJoined, Message, NodeRef, NodeStatusReport, Requirements,
    Topic, ValidateSource, ValidatedSource, Value, WakeupMessage, actor,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;

static CHECKS: AtomicI64 = AtomicI64::new(0);

/// Lives where `zone` is not `closed`. Says how often the check of its type was run on this node.
#[derive(Default)]
pub struct Tenant;

#[actor]
impl Tenant {
    #[capability_check]
    fn check(capabilities: &dyn CapabilityView, _: &Requirements) -> bool {
        CHECKS.fetch_add(1, SeqCst);
        capabilities.value("zone") != Some("closed".into())
    }

    #[handler]
    fn checks(&mut self, _ask: &String, cx: &mut Context) {
        cx.reply(CHECKS.load(SeqCst));
    }
}

/// Creates so many [`Tenant`]s where it is, and says how many it had and how many exits it was told of.
#[derive(Default)]
pub struct Landlord {
    let_to: i64,
    exits: i64,
}

#[actor]
impl Landlord {
    #[handler]
    fn let_to(&mut self, count: &Number, cx: &mut Context) {
        for n in 0..count.0 {
            // Half of them with a wish, so that there are two kinds.
            let wish = if n % 2 == 0 { Requirements::none() } else { Requirements::none().require("water") };
            cx.create_actor::<Tenant>().requirements(wish).start();
        }
        self.let_to += count.0;
        cx.reply(self.let_to);
    }

    #[handler]
    fn exited(&mut self, _exit: &ChildActorExited, _cx: &mut Context) {
        self.exits += 1;
    }

    #[handler]
    fn exits(&mut self, _ask: &String, cx: &mut Context) {
        cx.reply(Value::List(vec![Value::from(self.let_to), Value::from(self.exits)]));
    }
}

/// Where `slow` is, its check takes longer than a check may, and then says no.
#[derive(Default)]
pub struct SlowTenant;

#[actor]
impl SlowTenant {
    #[capability_check]
    fn check(capabilities: &dyn CapabilityView, _: &Requirements) -> bool {
        let slow = capabilities.is_true("slow");
        if slow {
            std::thread::sleep(Duration::from_secs(4));
        }
        !slow
    }
}

/// Thinks about what it has read for as long as a check may, nearly. Told `to and fro` it closes its zone and opens it again
/// while it thinks.
#[derive(Default)]
pub struct Ponderer {
    asked: Option<Address>,
}

#[actor]
impl Ponderer {
    #[capability_check]
    fn check(capabilities: &dyn CapabilityView, _: &Requirements) -> bool {
        let zone = capabilities.value("zone");
        if zone == Some("closed".into()) {
            std::thread::sleep(Duration::from_millis(600));
        }
        zone != Some("closed".into())
    }

    #[handler]
    fn close(&mut self, _ask: &String, cx: &mut Context) {
        self.asked = Some(cx.sender());
        cx.update_capability("zone", "closed");
        cx.wakeup_after(Duration::ZERO);
    }

    #[handler]
    fn open(&mut self, _wakeup: &WakeupMessage, cx: &mut Context) {
        if cx.capabilities().value("zone") != Some(&"closed".into()) {
            cx.wakeup_after(Duration::from_millis(1));
            return;
        }
        cx.update_capability("zone", "eu");
        if let Some(asked) = self.asked {
            cx.send(asked, "to and fro".to_owned());
        }
    }
}

/// Lets every image in, for its own node; and would live where a `bench` is, if it were not for that.
#[derive(Default)]
pub struct Magistrate;

#[actor]
#[require_capability("bench")]
impl Magistrate {
    #[handler]
    fn validate(&mut self, image: &ValidateSource, cx: &mut Context) {
        cx.reply(ValidatedSource::approved(&image.hash));
    }
}

/// Asks a [`Gauge`] how a node is.
#[derive(Debug, Serialize, Deserialize, Message)]
pub struct HowIs {
    /// The node's name; none for that of the gauge.
    pub node: Option<String>,
}

/// Learns which nodes there are once it is told anything, and says how they are.
#[derive(Default)]
pub struct Gauge {
    nodes: HashMap<String, NodeRef>,
    asked: Vec<Address>,
}

#[actor]
impl Gauge {
    #[handler]
    fn how_is(&mut self, ask: &HowIs, cx: &mut Context) {
        match ask.node.as_ref().map(|name| self.nodes.get(name)) {
            None => cx.request_node_status(),
            Some(Some(node)) => cx.request_node_status_of(*node),
            Some(None) => return cx.reply("unknown".to_owned()),
        }
        self.asked.push(cx.sender());
    }

    #[handler]
    fn learn(&mut self, _ask: &String, cx: &mut Context) {
        cx.watch(Topic::Members);
        cx.reply(i64::try_from(self.nodes.len()).unwrap_or(i64::MAX));
    }

    #[handler]
    fn joined(&mut self, member: &MemberJoined, _cx: &mut Context) {
        self.nodes.insert(member.name.clone(), member.node);
    }

    #[handler]
    fn report(&mut self, report: &NodeStatusReport, cx: &mut Context) {
        for asked in std::mem::take(&mut self.asked) {
            cx.send(asked, report.clone());
        }
    }
}
