import { mount } from 'svelte';
import { wails } from './backend/wails';
import App from './screens/App.svelte';
import './styles/tokens.css';
import './styles/base.css';

const target = document.getElementById('window');
if (!target) throw new Error('index.html has no place for the window');

mount(App, { target, props: { backend: wails() } });
