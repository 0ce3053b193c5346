/// How hard one site may be pressed from one source address.
package struct LaneLimits: Sendable, Hashable {
    /// Connections open to the site at once, 1 or more.
    package var connections: Int
    /// Mails sent over one connection before it is closed, 1 or more; receivers drop busier ones.
    package var messagesPerConnection: Int
    /// Seconds a mail may wait for a connection before it goes back to the store, so that a slow site holds up neither
    /// its batch nor the memory of the node.
    package var queueSeconds: Double
    /// Seconds an idle connection is kept.
    package var idleSeconds: Double
    /// Nil where only the connections limit the pace.
    package var rate: MessageRate?
    /// Refusals that are about the sender, without a mail accepted between, after which the lane rests: what a block may
    /// cost before it is believed.
    package var blocksBeforePause: Int

    package init(
        connections: Int = 20, messagesPerConnection: Int = 100, queueSeconds: Double = 15, idleSeconds: Double = 5,
        rate: MessageRate? = nil, blocksBeforePause: Int = 3
    ) {
        precondition(connections >= 1 && messagesPerConnection >= 1, "a lane that may not send is not a lane")
        self.connections = connections
        self.messagesPerConnection = messagesPerConnection
        self.queueSeconds = queueSeconds
        self.idleSeconds = idleSeconds
        self.rate = rate
        self.blocksBeforePause = blocksBeforePause
    }

    /// Connections worth having for a queue of this length: they grow with it, one for every eight mails.
    package func connections(forQueued queued: Int) -> Int {
        min(connections, (queued + 7) / 8)
    }
}
