import CCUDA

/// Calls on a device that were recorded once and are launched as one, at the addresses that they were recorded with.
final class Graph {
    private let device: CUDADevice
    private let executable: pcu_graph_exec

    /// - Parameter calls: queues what is to be recorded; nothing of it runs.
    /// - Throws: why it cannot be recorded. The device is as it was: the same calls may still run one by one.
    init(_ device: CUDADevice, recording calls: () -> Void) throws(ComputeError) {
        self.device = device
        // Mode 2: calls that may not be recorded but harm nothing, such as a library's first load, are allowed. No other
        // thread uses the driver.
        let begun = device.trying {
            device.queue("cuStreamBeginCapture") { $0.begin_capture(device.stream, 2) }
            calls()
        }
        var graph: pcu_graph?
        // Whatever failed, the stream must leave the recording.
        let ended = device.trying {
            device.queue("cuStreamEndCapture") { $0.end_capture(device.stream, &graph) }
        }
        var executable: pcu_graph_exec?
        defer { if let graph { _ = device.libraries.driver.destroy_graph(graph) } }
        if let error = begun ?? ended { throw error }
        if let error = device.trying({
            device.queue("cuGraphInstantiate") { $0.instantiate(&executable, graph, 0) }
        }) {
            throw error
        }
        guard let executable else {
            throw device.failure ?? ComputeError(.failed, device.place, found: "no graph", remedy: "update the driver")
        }
        self.executable = executable
    }

    deinit { _ = device.libraries.driver.destroy_exec(executable) }

    func launch() {
        device.queue("cuGraphLaunch") { $0.launch_graph(executable, device.stream) }
    }
}
