//! An actor that asks how its node is.

use odeon::{Address, Context, NodeStatusReport, actor};

/// Says how its node is, whatever it is asked.
#[derive(Default)]
pub struct NodeGauge {
    asked: Vec<Address>,
}

#[actor]
impl NodeGauge {
    #[handler]
    fn ask(&mut self, _: &String, cx: &mut Context) {
        self.asked.push(cx.sender());
        cx.request_node_status();
    }

    #[handler]
    fn report(&mut self, report: &NodeStatusReport, cx: &mut Context) {
        for asked in std::mem::take(&mut self.asked) {
            cx.send(asked, report.clone());
        }
    }
}
