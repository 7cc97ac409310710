package audit

// RowOf is the row of a source that keeps records and repeats nothing of them: its columns are the record's own. Of bytes
// that are no record the columns stay empty; who verifies decodes them too and says what is wrong.
func RowOf(position, index int64, envelope []byte) LedgerRow {
	row := LedgerRow{Position: position, Index: index, Envelope: envelope}
	r, err := Decode(envelope)
	if err != nil {
		return row
	}
	c := &row.Columns
	c.Leaf, c.EventID, c.Epoch, c.Actor, c.Seq, c.Kind = Leaf(envelope), r.EventID, r.Epoch, r.Actor, r.Seq, r.Kind
	c.Device, _ = deviceBytes(r.Device) // Decode made it of 16 bytes
	if r.Subject != nil {
		c.Subject = *r.Subject
	}
	if r.Session != nil {
		c.Session = *r.Session
	}
	return row
}
