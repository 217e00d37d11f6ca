// The search runs in a worker, which browsers do not start for a page that is opened from
// a folder. There, a hidden frame takes the place of the worker. The theme knows this
// interface as `IFrameWorker`, and would load it from another host.
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const inner = frame.contentWindow;
      this.ready = new Promise((resolve) => {
        // A worker loads scripts before it goes on; here they have to be awaited.
        inner.importScripts = (...urls) =>
          urls.reduce((done, script) => done.then(() => load(script)), Promise.resolve());
        const load = (script) =>
          new Promise((loaded, failed) => {
            const element = inner.document.createElement("script");
            element.src = script;
            element.onload = loaded;
            element.onerror = failed;
            inner.document.body.append(element);
          });
        inner.postMessage = (data) =>
          this.dispatchEvent(new MessageEvent("message", { data }));
        load(url).then(resolve);
      });
      this.inner = inner;
    }

    postMessage(data) {
      this.ready.then(() =>
        this.inner.dispatchEvent(new this.inner.MessageEvent("message", { data })),
      );
    }

    terminate() {
      this.inner.frameElement.remove();
    }
  };
  window.Worker = window.IFrameWorker;
}
