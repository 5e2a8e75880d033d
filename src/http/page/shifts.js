// Lasting changes that the rules have accepted as normal, and the way back.

import { get, post, segment } from "./api.js";
import { time } from "./clock.js";
import { h } from "./dom.js";

// Fills `box` with the accepted changes of a series; hides it when there are none.
export async function showShifts(box, name) {
  const path = `series/${segment(name)}/level-shifts`;
  const shifts = (await get(path)).data;
  box.hidden = shifts.length === 0;
  if (box.hidden) return;
  const failure = h("p", { class: "note bad", role: "alert", hidden: true });
  const undo = async () => {
    try {
      await post(`${path}/undo`);
      button.disabled = true;
      note.textContent = "It is taken back with the next row.";
      // The pipeline does it with its next commit: looked for until it has.
      while (box.isConnected && (await get(path)).data.some((shift) => shift.undone_at === null)) await new Promise((later) => setTimeout(later, 500));
      await showShifts(box, name);
    } catch (error) {
      failure.textContent = error.message;
      failure.hidden = false;
    }
  };
  const button = h("button", { type: "button", onclick: undo }, "Take it back");
  const note = h("span", { class: "soft", role: "status" }, "Then what was learned counts as normal again, and the change may open an alert.");
  box.replaceChildren(h("h2", { id: "shifts" }, "Accepted as the new normal"),
    h("ul", { class: "sentences" }, shifts.map((shift) => h("li", {}, time(shift.at), ": ", shift.sentence, "."))), failure,
    shifts.some((shift) => shift.undone_at === null) ? h("div", { class: "row" }, button, note) : "");
}
