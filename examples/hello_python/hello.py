import odeon

@odeon.actor
class Hello(odeon.Actor):
    def receive(self, message, cx):
        if message == "are you there?":
            cx.send(cx.create(World), odeon.Message("Say", {"to": cx.sender, "pre": "Hello,"}))

@odeon.actor
class World(odeon.Actor):
    @odeon.handler("Say")
    def finish(self, say, cx):
        cx.send(say["to"], say["pre"] + " world!")

@odeon.actor
class Goodbye(odeon.Actor):
    def receive(self, message, cx):
        cx.reply("Goodbye")

odeon.run()
