// libcuda's streams, events and graphs. A stream's work is done by the call that submits it.
#include <chrono>
#include <thread>

#include "calls.h"

using namespace stand_in;

// primed's header leaves them opaque.
struct pcu_stream_object {
  bool capturing = false;
  bool spoilt = false;
  int mode = 0;
  std::thread::id thread;  // that began the capture
  std::vector<Work> captured;
};
struct pcu_event_object {
  bool recorded = false;
  std::chrono::steady_clock::time_point moment;
};
struct pcu_graph_object {
  std::vector<Work> work;
};
struct pcu_graph_exec_object {
  std::vector<Work> work;
};

namespace {

std::set<pcu_stream> streams;
std::set<pcu_event> events;
std::set<pcu_graph> graphs;
std::set<pcu_graph_exec> execs;

// What a capture minds: calls that allocate or wait, by any thread, by its own, or none.
constexpr int thread_local_mode = 1, relaxed = 2;

}  // namespace

namespace stand_in {

bool is_stream(pcu_stream stream) { return stream == nullptr || streams.count(stream); }

bool is_capturing() {
  for (pcu_stream stream : streams) {
    if (stream->capturing) return true;
  }
  return false;
}

int submit(pcu_stream stream, Work work) {
  if (!is_stream(stream)) return invalid_handle;
  if (!stream || !stream->capturing) return work();
  if (stream->spoilt) return capture_invalidated;
  stream->captured.push_back(std::move(work));
  return 0;
}

int refused_in_capture() {
  bool refused = false;
  for (pcu_stream stream : streams) {
    if (!stream->capturing || stream->mode == relaxed) continue;
    if (stream->mode == thread_local_mode && stream->thread != std::this_thread::get_id()) continue;
    stream->spoilt = true;
    refused = true;
  }
  return refused ? capture_unsupported : 0;
}

}  // namespace stand_in

int cuStreamCreate(pcu_stream *stream, unsigned) {
  Call call("cuStreamCreate");
  if (call.error) return call.error;
  *stream = new pcu_stream_object;
  streams.insert(*stream);
  counts.streams++;
  return 0;
}

int cuStreamDestroy_v2(pcu_stream stream) {
  Call call("cuStreamDestroy_v2");
  if (call.error) return call.error;
  if (streams.erase(stream) == 0) return invalid_handle;
  delete stream;
  counts.streams--;
  return 0;
}

int cuStreamSynchronize(pcu_stream stream) {
  Call call("cuStreamSynchronize");
  if (call.error) return call.error;
  if (!is_stream(stream)) return invalid_handle;
  if (stream && stream->capturing) {
    stream->spoilt = true;
    return capture_unsupported;
  }
  return 0;
}

int cuEventCreate(pcu_event *event, unsigned) {
  Call call("cuEventCreate");
  if (call.error) return call.error;
  *event = new pcu_event_object;
  events.insert(*event);
  counts.events++;
  return 0;
}

int cuEventDestroy_v2(pcu_event event) {
  Call call("cuEventDestroy_v2");
  if (call.error) return call.error;
  if (events.erase(event) == 0) return invalid_handle;
  delete event;
  counts.events--;
  return 0;
}

int cuEventRecord(pcu_event event, pcu_stream stream) {
  Call call("cuEventRecord");
  if (call.error) return call.error;
  if (!events.count(event) || !is_stream(stream)) return invalid_handle;
  // While a stream is captured, an event only stands for a place in its graph and has no time.
  event->recorded = !(stream && stream->capturing);
  event->moment = std::chrono::steady_clock::now();
  return 0;
}

int cuEventElapsedTime(float *milliseconds, pcu_event start, pcu_event end) {
  Call call("cuEventElapsedTime");
  if (call.error) return call.error;
  if (!events.count(start) || !events.count(end) || !start->recorded || !end->recorded) return invalid_handle;
  *milliseconds = std::chrono::duration<float, std::milli>(end->moment - start->moment).count();
  return 0;
}

int cuStreamBeginCapture_v2(pcu_stream stream, int mode) {
  Call call("cuStreamBeginCapture_v2");
  if (call.error) return call.error;
  if (!stream || mode < 0 || mode > relaxed) return invalid_value;
  if (!is_stream(stream)) return invalid_handle;
  if (stream->capturing) return invalid_value;
  stream->capturing = true;
  stream->spoilt = false;
  stream->mode = mode;
  stream->thread = std::this_thread::get_id();
  stream->captured.clear();
  return 0;
}

int cuStreamEndCapture(pcu_stream stream, pcu_graph *graph) {
  Call call("cuStreamEndCapture");
  if (call.error) return call.error;
  if (!stream || !is_stream(stream)) return invalid_handle;
  if (!stream->capturing) return invalid_value;
  stream->capturing = false;
  *graph = nullptr;
  if (stream->spoilt) return capture_invalidated;
  *graph = new pcu_graph_object{std::move(stream->captured)};
  graphs.insert(*graph);
  counts.graph_objects++;
  return 0;
}

int cuGraphInstantiateWithFlags(pcu_graph_exec *exec, pcu_graph graph, unsigned long long) {
  Call call("cuGraphInstantiateWithFlags");
  if (call.error) return call.error;
  if (!graphs.count(graph)) return invalid_handle;
  *exec = new pcu_graph_exec_object{graph->work};
  execs.insert(*exec);
  counts.graph_objects++;
  return 0;
}

int cuGraphLaunch(pcu_graph_exec exec, pcu_stream stream) {
  Call call("cuGraphLaunch");
  if (call.error) return call.error;
  if (!execs.count(exec)) return invalid_handle;
  counts.graphs++;
  return submit(stream, [exec] {
    if (!execs.count(exec)) return failed(launch_failed, "a graph was destroyed that another one launches");
    for (const Work &each : exec->work) {
      if (int error = each()) return error;
    }
    return 0;
  });
}

int cuGraphExecDestroy(pcu_graph_exec exec) {
  Call call("cuGraphExecDestroy");
  if (call.error) return call.error;
  if (execs.erase(exec) == 0) return invalid_handle;
  delete exec;
  counts.graph_objects--;
  return 0;
}

int cuGraphDestroy(pcu_graph graph) {
  Call call("cuGraphDestroy");
  if (call.error) return call.error;
  if (graphs.erase(graph) == 0) return invalid_handle;
  delete graph;
  counts.graph_objects--;
  return 0;
}
