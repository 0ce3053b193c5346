import Synchronization
import Testing

@testable import Application

struct StartupTests {
    /// The places at which the API's listener comes up among three.
    @Test(arguments: 0..<3) func `nothing is said before all listen`(_ place: Int) {
        let told = Mutex<[Int]>([])
        let startup = Startup { port in told.withLock { $0.append(port) } }
        let listeners = (0..<3).map { _ in startup.listener() }
        for (number, listens) in listeners.enumerated() {
            #expect(told.withLock { $0 } == [])
            listens(number == place ? 8025 : nil)
        }
        #expect(told.withLock { $0 } == [8025])
    }

    @Test func `a node without the API says nothing`() {
        let told = Mutex(0)
        let startup = Startup { _ in told.withLock { $0 += 1 } }
        let listeners = [startup.listener(), startup.listener()]
        for listens in listeners { listens(nil) }
        #expect(told.withLock { $0 } == 0)
    }
}
