import Campaigns
import MailTypes
import TLSPolicies
import TrafficShaping

/// One mail waiting for a connection.
struct QueuedMail: LaneMail {
    let run: BatchRun
    let position: Int
    var queuedAt: SteadySeconds
    /// Whether it met a connection that the server had just closed for idleness, and was put back.
    var wasRetried = false
    /// The smarthosts that could not take it: each is asked once, so that mail does not go round in circles.
    var declinedBy: Set<LaneID> = []
    /// Its place in the day's allowance of a source that warms up.
    var warmUp: WarmUpPlace?
    /// What the recipient's domain publishes; nil where mail goes to a smarthost.
    var tlsPolicy: DomainTLSPolicy?

    var domain: DomainName { run.batch.records[position].address.domain }
    var account: AccountID { run.batch.id.account }
    var origin: MailOrigin { MailOrigin(account: account, pool: run.runtime.sourcePool) }
    var campaign: CampaignID { run.batch.id.campaign }
}
