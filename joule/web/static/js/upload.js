// Sends files as they are, one after the other, and says how far each has come. XHR, because fetch tells no progress.

customElements.define("upload-files", class extends HTMLElement {
  connectedCallback() {
    this.list = document.getElementById(this.dataset.list);
    this.queue = Promise.resolve();
    const input = this.querySelector("input[type=file]");
    this.addEventListener("click", (event) => { if (event.target.closest("[data-choose]")) input.click(); });
    input.addEventListener("change", () => { this.take([...input.files]); input.value = ""; });
    this.zone = this.dataset.zone ? document.querySelector(this.dataset.zone) : this;
    const over = (event, isOver) => {
      if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
      event.preventDefault();
      this.querySelector(".drop")?.classList.toggle("is-over", isOver);
    };
    this.zone.addEventListener("dragover", (event) => over(event, true));
    this.zone.addEventListener("dragleave", (event) => over(event, false));
    this.zone.addEventListener("drop", (event) => { over(event, false); this.take([...event.dataTransfer.files]); });
  }
  take(files) {
    for (const file of files) {
      const row = this.row(file.name);
      this.queue = this.queue.then(() => this.send(file, row));
    }
  }
  row(name) {
    const row = document.createElement("li");
    const title = document.createElement("span");
    title.textContent = name;
    const progress = document.createElement("progress");
    progress.max = 100;
    progress.value = 0;
    progress.setAttribute("aria-label", `Upload of ${name}`);
    row.append(title, progress);
    this.list.append(row);
    return row;
  }
  send(file, row) {
    return new Promise((done) => {
      const request = new XMLHttpRequest();
      const progress = row.querySelector("progress");
      request.open("PUT", this.dataset.url);
      request.setRequestHeader("X-Upload", encodeURIComponent(file.name));
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.upload.onprogress = (event) => { if (event.lengthComputable) progress.value = (event.loaded / event.total) * 100; };
      request.onload = () => { this.ended(request, row); done(); };
      request.onerror = () => { this.failed(row, "The connection broke off.", "Check the network and choose the file again."); done(); };
      request.send(file);
    });
  }
  ended(request, row) {
    if (request.status >= 300) {
      let error = { message: "the upload failed", advice: "Try again." };
      try { error = JSON.parse(request.responseText).error; } catch { /* not ours: the words above stand */ }
      this.failed(row, `${error.message[0].toUpperCase()}${error.message.slice(1)}.`, error.advice);
      return;
    }
    row.remove();
    const status = document.getElementById("announce");
    let note = "";
    try { note = JSON.parse(request.responseText).note ?? ""; } catch { /* nothing to add */ }
    if (status) status.textContent = note || `${row.textContent} was uploaded.`;
    document.body.dispatchEvent(new CustomEvent(this.dataset.changed ?? "files-changed"));
  }
  failed(row, message, advice) {
    row.querySelector("progress")?.remove();
    const wrong = document.createElement("p");
    wrong.className = "wrong";
    wrong.setAttribute("role", "alert");
    wrong.textContent = `${message} ${advice}`;
    const away = document.createElement("button");
    away.type = "button";
    away.className = "ghost slim";
    away.textContent = "Dismiss";
    away.addEventListener("click", () => row.remove());
    row.append(wrong, away);
  }
});
