import { render } from 'preact';
import { App } from './app.tsx';
import './styles.css';
import { watchPinned } from './pinned.ts';
import { applyTheme } from './theme.ts';

applyTheme();
watchPinned();
const place = document.getElementById('board')!;
place.textContent = '';
render(<App />, place);
