import CCUDA

/// Calls on a device that were recorded once and are launched as one, at the addresses that they were recorded with.
final class Graph {
    private let device: CUDADevice
    private let executable: pcu_graph_exec

    /// - Parameter calls: queues what is to be recorded; nothing of it runs.
    /// - Returns: nil where the device has failed.
    init?(_ device: CUDADevice, recording calls: () -> Void) {
        self.device = device
        // Mode 1: what other threads do with the driver is their own.
        device.queue("cuStreamBeginCapture") { $0.begin_capture(device.stream, 1) }
        calls()
        var graph: pcu_graph?
        device.queue("cuStreamEndCapture") { $0.end_capture(device.stream, &graph) }
        var executable: pcu_graph_exec?
        device.queue("cuGraphInstantiate") { $0.instantiate(&executable, graph, 0) }
        if let graph { _ = device.libraries.driver.destroy_graph(graph) }
        guard let executable else { return nil }
        self.executable = executable
    }

    deinit { _ = device.libraries.driver.destroy_exec(executable) }

    func launch() {
        device.queue("cuGraphLaunch") { $0.launch_graph(executable, device.stream) }
    }
}
