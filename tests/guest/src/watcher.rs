//! An actor that watches. The tests' own nodes link the same source in.

use odeon::{
    Context, ImageAvailable, ImageUnavailable, MemberChanged, MemberJoined, MemberLost, NodeRef, Topic, Value, actor,
};

/// Watches when it is told to, and says in order what it was told.
#[derive(Default)]
pub struct Watcher {
    told: Vec<String>,
}

#[actor]
impl Watcher {
    #[handler]
    fn ask(&mut self, what: &String, cx: &mut Context) {
        for topic in [Topic::Members, Topic::Capabilities, Topic::Images] {
            match what.as_str() {
                "watch" => cx.watch(topic),
                "unwatch" => cx.unwatch(topic),
                _ => {}
            }
        }
        cx.reply(Value::List(self.told.iter().map(|told| Value::from(told.as_str())).collect()));
    }

    #[handler]
    fn joined(&mut self, member: &MemberJoined, _: &mut Context) {
        let has: Vec<&str> = member.capabilities.iter().map(|(key, _)| key).collect();
        self.told.push(format!("joined {}: {}", start(&member.name, member.node), has.join(", ")));
    }

    #[handler]
    fn lost(&mut self, member: &MemberLost, _: &mut Context) {
        self.told.push(format!("lost {}: {}", start(&member.name, member.node), member.reason));
    }

    #[handler]
    fn changed(&mut self, member: &MemberChanged, _: &mut Context) {
        let what = |key: &String| format!("{key}={:?}", member.capabilities.value(key));
        let changed: Vec<String> = member.changed.iter().map(what).collect();
        self.told.push(format!("changed {}: {}", start(&member.name, member.node), changed.join(", ")));
    }

    #[handler]
    fn available(&mut self, image: &ImageAvailable, _: &mut Context) {
        self.told.push(format!("available {} {}: {}", image.name, image.version, image.hash));
    }

    #[handler]
    fn unavailable(&mut self, image: &ImageUnavailable, _: &mut Context) {
        self.told.push(format!("unavailable {} {}: {}", image.name, image.version, image.hash));
    }
}

fn start(name: &str, node: NodeRef) -> String {
    format!("{name}#{}", node.incarnation)
}
